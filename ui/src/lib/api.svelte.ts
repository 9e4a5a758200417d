// The server, asked over HTTP; the session's cookie is out of reach of this script.
import type { Verdict } from './types';

export class Trouble extends Error {
  constructor(public status: number, message: string) { super(message); }
}

export type Scope = 'read' | 'operate' | 'admin';

class Session {
  scope = $state<Scope | null>(null);
  known = $state(false);
  proof = '';

  get operates() { return this.scope === 'operate' || this.scope === 'admin'; }
  get admin() { return this.scope === 'admin'; }

  // A token in the address (after #, so no server ever saw it) is used once and taken away.
  async begin() {
    const token = new URLSearchParams(location.hash.slice(1)).get('token');
    if (token) {
      history.replaceState(null, '', location.pathname + location.search);
      try { await this.logIn(token); return; } catch { /* the page asks for another one */ }
    }
    try {
      this.take(await get('/session'));
    } catch (error) {
      if (!(error instanceof Trouble) || error.status === 0) throw error;
    } finally {
      this.known = true;
    }
  }

  async logIn(token: string) {
    this.take(await ask('/session', 'POST', { token }));
    this.known = true;
  }

  async logOut() {
    await ask('/session', 'DELETE');
    this.scope = null;
  }

  private take(answer: { scope: Scope; proof: string }) {
    this.scope = answer.scope;
    this.proof = answer.proof;
  }
}

export const session = new Session();

export async function ask(path: string, method = 'GET', body?: unknown, headers: Record<string, string> = {}): Promise<any> {
  let answer: Response;
  try {
    answer = await fetch(`/api/v1${path}`, {
      method,
      credentials: 'same-origin',
      headers: { ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...(session.proof ? { 'x-surefoot-proof': session.proof } : {}), ...headers },
      body: body === undefined ? undefined : JSON.stringify(body),
      signal: AbortSignal.timeout(15000),
    });
  } catch {
    throw new Trouble(0, 'The dashboard’s server does not answer.');
  }
  if (answer.status === 204) return null;
  const content = await answer.json().catch(() => ({ error: `HTTP ${answer.status}` }));
  if (!answer.ok) {
    if (answer.status === 401 && path !== '/session') session.scope = null;
    throw new Trouble(answer.status, content.error ?? `HTTP ${answer.status}`);
  }
  return content;
}

export const get = (path: string) => ask(path);

export interface Wish { kind: string; target: string; arguments?: Record<string, string>; confirm?: string }

// The same wish keeps its key until there is an answer, so asking again never does it twice.
export async function post(wish: Wish, key: string): Promise<Verdict> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await ask('/commands', 'POST', wish, { 'idempotency-key': key });
    } catch (error) {
      const lost = error instanceof Trouble && (error.status === 0 || error.status === 503);
      if (!lost || attempt >= 4) throw error;
      await new Promise((done) => setTimeout(done, 500 * 2 ** attempt));
    }
  }
}

export const newKey = () => crypto.getRandomValues(new Uint32Array(4)).reduce((text, part) => text + part.toString(16).padStart(8, '0'), '');
