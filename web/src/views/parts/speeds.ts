/** Speeds over time, as the daemon kept them and as they go on. */

import type { Model } from "../../lib/api";

export const SPANS = [60, 300, 1800, 10_800, 86_400] as const;
export type Span = (typeof SPANS)[number];

type History = Model<"History">;

/** A window on the last `span` seconds, which moves on with what is measured now. */
export class Speeds {
  step = 1;
  until = 0;
  down: number[] = [];
  up: number[] = [];
  #sum = { down: 0, up: 0, count: 0 };

  constructor(
    readonly span: number,
    history: History | null,
    now: number,
  ) {
    this.step = Math.max(1, history?.step ?? span / 300);
    this.until = history?.until ?? now;
    this.down = [...(history?.down ?? [])];
    this.up = [...(history?.up ?? [])];
    this.#trim();
  }

  get most(): number {
    return Math.ceil(this.span / this.step);
  }

  /** What is measured at this moment. True: there is a new value to be shown. */
  add(down: number, up: number, now: number): boolean {
    const sum = this.#sum;
    sum.down += down;
    sum.up += up;
    sum.count++;
    let fresh = false;
    // Where nothing was heard for a while nothing is known of it.
    if (now - this.until > this.step * this.most) {
      this.down = [];
      this.up = [];
      this.until = now - this.step;
    }
    while (now - this.until >= this.step) {
      this.down.push(sum.down / sum.count);
      this.up.push(sum.up / sum.count);
      this.until += this.step;
      fresh = true;
    }
    if (fresh) {
      this.#sum = { down: 0, up: 0, count: 0 };
      this.#trim();
    }
    return fresh;
  }

  /** The moments of the values, seconds since 1970. */
  get times(): number[] {
    const count = this.down.length;
    return this.down.map((_, at) => this.until - (count - 1 - at) * this.step);
  }

  #trim(): void {
    const extra = this.down.length - this.most;
    if (extra > 0) {
      this.down.splice(0, extra);
      this.up.splice(0, extra);
    }
  }
}

export function summary(values: readonly number[]): { mean: number; most: number } {
  if (!values.length) return { mean: 0, most: 0 };
  return { mean: values.reduce((sum, one) => sum + one, 0) / values.length, most: Math.max(...values) };
}
