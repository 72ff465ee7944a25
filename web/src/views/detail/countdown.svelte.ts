/** A length of time that was so long when it was heard of, and has become shorter since. */

import { ticking } from "../../lib/clock.svelte";
import { duration } from "../../lib/format";
import { detailWords } from "../../words/detail";

export class Countdown {
  #heard = 0;

  /** It was said just now. */
  heard(): void {
    this.#heard = performance.now() / 1000;
  }

  /** In words; nothing where it is not known. */
  of(seconds: number | null | undefined): string {
    if (seconds === null || seconds === undefined) return "";
    const left = seconds - Math.max(0, ticking() - this.#heard);
    return left < 1 ? detailWords.t.now : detailWords.t.inTime(duration(left));
  }
}
