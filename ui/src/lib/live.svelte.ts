// What changes, as it changes. The cursor is the journal's sequence number: a reconnect goes on
// from there, so nothing is lost; and what is old is called old.
import { get, session } from './api.svelte';
import { number } from './format';
import type { Bot, JournalRecord, Place, Position, Status } from './types';

const STALE_MS = 6000;
const UNREAD_MS = 15000;
const HANGS_MS = 30000;
export const KEPT = 400;

class Live {
  bots = $state.raw<Map<string, Bot>>(new Map());
  status = $state.raw<Status | null>(null);
  recent = $state.raw<JournalRecord[]>([]);
  cursor = $state(0);
  problem = $state<string | null>(null);
  connected = $state(false);
  now = $state(Date.now());
  private heard = $state(0);
  private ahead = 0;
  private turned = $state<number | null>(null);
  private read = $state<number | null>(null);
  private socket: WebSocket | null = null;
  private epoch: string | null = null;
  private started = 0;
  private wait = 500;
  private timer = 0;
  private unseen: any[] = [];

  constructor() {
    setInterval(() => this.look(), 1000);
    addEventListener('online', () => this.again());
    document.addEventListener('visibilitychange', () => { this.show(); this.look(); });
  }

  // The server's time as this page counts it, for ages.
  get time() { return this.now + this.ahead; }
  get list() { return [...this.bots.values()]; }
  get fresh() {
    return this.connected && this.now - this.heard < STALE_MS && this.problem === null && this.unread < UNREAD_MS;
  }
  // For how long the server has not read the journal, as far as this page knows.
  private get unread() { return this.read === null ? 0 : Math.max(0, this.time - this.read); }
  get silence() { return this.heard ? Math.max(this.now - this.heard, this.unread) / 1000 : null; }
  // An age that the server told, grown by what has passed since it read it.
  grown(seconds: number | null) { return seconds === null ? null : seconds + this.unread / 1000; }
  get hangs() {
    return this.status?.server != null && this.turned !== null && this.time - this.turned > HANGS_MS;
  }

  // Whether the engine acts on the levels of an account now.
  watches(account: string | null) {
    return this.acts && this.status!.health.some((each) => each.account === account && each.watched);
  }
  // Whether there is an engine, and it moves.
  get acts() { return this.status?.server != null && !this.hangs; }

  // Where a stop is kept, as far as it works: one that is watched here does not while nothing moves.
  guard(position: Position) { return this.working(position.protection.stop); }
  // The same of what the stop that rests at the exchange does not sell.
  rest(position: Position) { return this.working(position.protection.rest); }
  // The same in words.
  kept(position: Position) {
    const { stop, rest, resting } = position.protection;
    const part = rest === stop ? '' : ` for ${number(resting!.quantity)} of ${number(position.quantity)}`;
    return { exchange: `at the exchange${part}`, here: 'watched here', none: position.stop_loss ? 'not working' : '' }[this.guard(position)];
  }
  private working(place: Place) { return this.hangs && place === 'here' ? 'none' : place; }

  // Also before it is known whose session this is: the same cookie opens both, and if there is
  // none this is refused like everything else.
  start() {
    if (this.socket) return;
    this.started = Date.now();
    const after = this.epoch === null ? '' : `?after=${this.cursor}`;
    const socket = new WebSocket(`${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}/api/v1/live${after}`);
    this.socket = socket;
    socket.onmessage = (event) => this.hear(JSON.parse(event.data));
    socket.onclose = () => { if (this.socket === socket) this.lost(); };
  }

  stop() {
    clearTimeout(this.timer);
    const socket = this.socket;
    this.socket = null;
    this.connected = false;
    socket?.close();
  }

  private again() {
    clearTimeout(this.timer);
    if (!this.socket && session.scope) this.start();
  }

  private lost() {
    this.socket = null;
    this.connected = false;
    if (!session.scope) return;
    this.timer = window.setTimeout(() => this.again(), this.wait);
    this.wait = Math.min(this.wait * 2, 5000);
  }

  private look() {
    this.now = Date.now();
    const silent = this.now - Math.max(this.heard, this.started);
    if (this.socket && silent > STALE_MS + 4000) this.stop(), this.again();
  }

  // What happened before this page was opened, so that it does not begin empty.
  private async before(cursor: number) {
    const page = await get(`/records?limit=20&cursor=${cursor + 1}`).catch(() => null);
    const oldest = this.recent.at(-1)?.sequence ?? cursor + 1;
    if (page) this.recent = [...this.recent, ...(page.records as JournalRecord[]).filter((each) => each.sequence < oldest)];
  }

  // What comes faster than this machine can draw is drawn together, not one by one and ever later.
  private hear(message: any) {
    this.unseen.push(message);
    if (this.status === null || document.hidden) this.show();
    else if (this.unseen.length === 1) requestAnimationFrame(() => this.show());
  }

  private show() {
    for (const message of this.unseen.splice(0)) this.take(message);
  }

  private take(message: any) {
    this.connected = true;
    this.wait = 500;
    this.now = this.heard = Date.now();
    this.ahead = Date.parse(message.at) - this.now;
    this.problem = message.problem ?? null;
    if (message.read_at) this.read = Date.parse(message.read_at);
    this.turned = message.turned_at ? Date.parse(message.turned_at) : null;
    if (message.epoch && message.epoch !== this.epoch) {
      if (this.epoch !== null) { this.bots = new Map(); this.recent = []; }
      this.epoch = message.epoch;
      this.before(message.cursor);
    }
    this.cursor = message.cursor;
    if (message.status) this.status = message.status;
    if (message.bots?.length) {
      const bots = new Map(this.bots);
      for (const bot of message.bots as Bot[]) bots.set(bot.bot, bot);
      this.bots = bots;
    }
    if (message.records?.length) {
      this.recent = [...(message.records as JournalRecord[]).toReversed(), ...this.recent].slice(0, KEPT);
    }
  }
}

export const live = new Live();
