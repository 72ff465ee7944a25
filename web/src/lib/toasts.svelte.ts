/** Short words at the edge of the page: what was done (with a way back), and what was not. */

import { Problem } from "./api";

export interface Toast {
  id: number;
  text: string;
  /** More of it, a line each. */
  lines: string[];
  kind: "good" | "bad";
  /** `about`: what it would change back; where that is changed once more, the way back is another. */
  action?: { label: string; run: () => void; about?: readonly string[] };
}

/** With a way back there is more to decide. */
const UNDO_MS = 8000;
const GOOD_MS = 4000;

class Toasts {
  shown = $state<Toast[]>([]);
  #next = 1;
  /** Who looks at one, or has it in focus, is not to lose it. */
  #held = new Set<number>();

  /** Its id, for `end`. */
  say(text: string, action?: Toast["action"]): number {
    const id = this.#show({ text, lines: [], kind: "good", ...(action ? { action } : {}) });
    this.#endIn(id, action ? UNDO_MS : GOOD_MS);
    return id;
  }

  hold(id: number, held: boolean): void {
    if (held) this.#held.add(id);
    else this.#held.delete(id);
  }

  #endIn(id: number, ms: number): void {
    setTimeout(() => (this.#held.has(id) ? this.#endIn(id, GOOD_MS) : this.end(id)), ms);
  }

  /** Stays until it is taken away. */
  warn(text: string, lines: string[] = []): void {
    this.#show({ text, lines, kind: "bad" });
  }

  end(id: number): void {
    this.#held.delete(id);
    this.shown = this.shown.filter((one) => one.id !== id);
  }

  #show(toast: Omit<Toast, "id">): number {
    const id = this.#next++;
    // The same complaint once, and never a wall of them.
    const about = new Set(toast.action?.about);
    const stays = (one: Toast): boolean => one.text !== toast.text && !one.action?.about?.some((key) => about.has(key));
    this.shown = [...this.shown.filter(stays), { id, ...toast }].slice(-4);
    return id;
  }
}

export const toasts = new Toasts();

/** Does it, and says what went wrong. True: it was done. */
export async function attempt(work: () => Promise<unknown>): Promise<boolean> {
  try {
    await work();
    return true;
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    toasts.warn(error.message);
    return false;
  }
}
