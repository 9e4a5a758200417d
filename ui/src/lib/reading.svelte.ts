// What a page reads besides what it is told. Answers may overtake each other, and a server that is
// being replaced answers nothing: the newest question counts, and what got no answer is asked again.
import { Trouble } from './api.svelte';

const AGAIN_MS = 3000;

export class Reading {
  busy = $state(true);
  failed = $state('');
  private turn = 0;
  private wait = 0;

  async ask<T>(question: () => Promise<T>, take: (answer: T) => void) {
    const mine = ++this.turn;
    clearTimeout(this.wait);
    this.busy = true;
    try {
      const answer = await question();
      if (mine !== this.turn) return;
      take(answer);
      this.failed = '';
    } catch (error) {
      if (mine !== this.turn) return;
      this.failed = (error as Error).message;
      const may = !(error instanceof Trouble) || error.status === 0 || error.status >= 500;
      if (may) this.wait = window.setTimeout(() => this.ask(question, take), AGAIN_MS);
    } finally {
      if (mine === this.turn) this.busy = false;
    }
  }

  stop() {
    this.turn++;
    clearTimeout(this.wait);
  }
}
