// What the API says. The server's OpenAPI document is the reference: /api/v1/openapi.json
export interface Order {
  client_order_id: string; exchange_order_id: string | null; role: string; side: string;
  status: string; quantity: string; filled: string; limit: string | null; trigger: string | null;
}
export type Place = 'exchange' | 'here' | 'none';
export interface Position {
  id: string; state: string; phase: string; frozen: string | null; side: string; quantity: string;
  entry_price: string | null; mark_price: string | null; marked_at: string | null;
  unrealized_pnl: string | null; realized_pnl: string; fees: Record<string, string>;
  stop_loss: string | null; take_profit: string | null;
  protection: { stop: Place; rest: Place; resting: { trigger: string | null; quantity: string } | null; take_profit: Place };
  orders: Order[]; orders_not_shown: number;
}
export interface Bot {
  bot: string; account: string | null; symbol: string | null; status: string;
  reason: string | null; position: Position | null; unsettled: string[];
  waits_for: string | null; refused: string | null; refused_at: string | null;
}
export interface Health {
  account: string; environment: string; state: string; since: string; why: string | null;
  attempt: number; next_try: string | null; watched: boolean; account_stream_age: number | null;
  price_ages: Record<string, number | null>;
}
export interface Finding {
  id: string; account: string | null; bot: string | null; position: string | null; kind: string;
  since: string; believed: string; true: string; meaning: string; actions: string[];
}
// The newest one, as the status has it.
export interface LastRecovery {
  at: string; account: string; outcome: string; positions: Record<string, number>; fills_booked: number;
}
export interface Recovered {
  position_id: string | null; outcome: string; believed: string; evidence: string[];
  followed: string[]; now: string;
}
// A whole report, as its record has it.
export interface Recovery {
  at: string; account: string; outcome: string; positions: Record<string, number>;
  orders_cancelled: number; fills_booked: number; bots_restarted: number;
  bots_in_review: Record<string, string>; requests: number; weight: number; seconds: string;
  told: Recovered[]; unwatched_since: string | null;
}
export interface Status {
  journal: { epoch: string; records: number }; recovery: LastRecovery | null; health: Health[];
  review: Finding[]; server: { pid: number; host: string; since: string; hangs: boolean } | null;
}
export interface JournalRecord {
  sequence: number; at: string; stream: string; bot: string | null; position: string | null;
  account: string | null; kind: string; text: string; record?: any;
}
export interface Fill {
  sequence: number; position: string; symbol: string; trade_id: string; client_order_id: string;
  side: string; price: string; quantity: string; fee: string; fee_asset: string | null; at: string;
}
export interface PositionRow {
  position_id: string; bot: string; symbol: string; state: string; phase: string;
  frozen: string | null; quantity: string; entry_price: string | null; realized_pnl: string;
}
export interface Life {
  bot: string; account: string; symbol: string; opened_at: string | null;
  closed_at: string | null; position: Position; fills: Fill[]; life: JournalRecord[];
  records_not_shown: number;
}
export interface ProfitRow { bot: string; account: string; day: string; quote: string; pnl: string; positions: number }
export interface Candle { at: number; open: number; high: number; low: number; close: number }
export interface Verdict {
  command_id: string; kind: string; target: string; status: 'posted' | 'done' | 'refused';
  result: string | null; serving: boolean; expires_at: string;
}
export interface Settings {
  versions: Record<string, string>; journal: string; listen: string; exposure: string | null;
  accounts: { account: string; exchange: string; environment: string; ownership: string; api_key: string; secret: string }[];
  doctor: { what: string; well: boolean; said: string }[];
  bots: {
    bot: string; account: string; symbol: string; strategy: string; notional: string;
    stop_loss: string | null; take_profit: string | null; break_even: string | null;
    trailing_stop: string | null; stop_at: string;
  }[];
}
