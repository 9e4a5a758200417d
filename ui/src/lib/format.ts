// Figures and times for people. Amounts come as exact text and are only shortened for the eye.
export function number(text: string | number | null | undefined, digits?: number): string {
  if (text === null || text === undefined) return '–';
  const value = Number(text);
  if (!Number.isFinite(value)) return String(text);
  const size = Math.abs(value);
  const most = digits ?? (size >= 1000 ? 2 : size >= 1 ? 4 : 8);
  return value.toLocaleString('en-US', { minimumFractionDigits: digits ?? 0, maximumFractionDigits: most });
}

// Money that people count in cents; of any other (bitcoin, say) six digits are shown.
const CENTS = /USD|EUR|GBP|DAI|TRY|BRL|JPY|AUD|CHF/;
export function money(value: number | string | null | undefined, sign = false, quote = 'USD'): string {
  if (value === null || value === undefined) return '–';
  const amount = Number(value);
  const digits = CENTS.test(quote) ? 2 : 6;
  const rounded = Math.abs(amount) < 0.5 * 10 ** -digits ? 0 : amount;
  const text = Math.abs(rounded).toLocaleString('en-US', { minimumFractionDigits: 2, maximumFractionDigits: digits });
  const before = rounded < 0 ? '−' : sign && rounded > 0 ? '+' : '';
  return before + text;
}

export const tone = (value: number | string | null | undefined, quote = 'USD') => {
  const shown = money(value ?? 0, true, quote);
  return shown.startsWith('+') ? 'gain' : shown.startsWith('−') ? 'loss' : '';
};

export function age(seconds: number | null | undefined): string {
  if (seconds === null || seconds === undefined) return 'never';
  if (seconds < 1.5) return 'now';
  if (seconds < 90) return `${Math.round(seconds)} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  if (seconds < 172800) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86400)} days`;
}

// How long something has been so, in a sentence: "for now" would mean "not for long".
export const lasting = (seconds: number | null | undefined) => (age(seconds) === 'now' ? 'since now' : `for ${age(seconds)}`);
export const since = (at: string | null | undefined, now: number) => (at ? Math.max(0, (now - Date.parse(at)) / 1000) : null);
export const clock = (at: string) => new Date(at).toLocaleTimeString('en-GB');
export const day = (at: string) => new Date(at).toLocaleDateString('en-GB', { day: 'numeric', month: 'short', year: 'numeric' });
export const moment = (at: string) => `${day(at)}, ${clock(at)}`;
export const count = (n: number, noun: string, many = `${noun}s`) => `${n.toLocaleString('en-US')} ${n === 1 ? noun : many}`;
/** What names are sorted by, here and in the API: dip-3 comes before dip-13. */
export const byName = new Intl.Collator('en', { numeric: true }).compare;
export const quoteOf = (symbol: string | null) => symbol?.split('/')[1]?.split(':')[0] ?? '';
export const baseOf = (symbol: string | null) => symbol?.split('/')[0] ?? '';
// Dust of a closed position is listed, not held.
export const held = (position: { quantity: string; state: string } | null | undefined) => !!position && Number(position.quantity) !== 0 && position.state !== 'CLOSED';
