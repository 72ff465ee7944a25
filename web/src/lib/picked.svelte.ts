/** Which torrents of the list are picked, and which of them is the one that the keyboard is at. */

class Picked {
  keys = $state.raw<ReadonlySet<string>>(new Set());
  /** Place in the list of what the keyboard is at, and of what a range begins at. */
  at = $state(-1);
  from = -1;

  get size(): number {
    return this.keys.size;
  }

  has(key: string): boolean {
    return this.keys.has(key);
  }

  only(key: string, at: number): void {
    this.keys = new Set([key]);
    this.at = this.from = at;
  }

  toggle(key: string, at: number): void {
    const keys = new Set(this.keys);
    if (!keys.delete(key)) keys.add(key);
    this.keys = keys;
    this.at = this.from = at;
  }

  /** All of these; where a range begins stays. */
  range(keys: Iterable<string>, at: number): void {
    this.keys = new Set(keys);
    this.at = at;
  }

  none(): void {
    if (this.keys.size) this.keys = new Set();
  }

  /** Those are gone. */
  forget(gone: Iterable<string>): void {
    const keys = new Set(this.keys);
    for (const key of gone) keys.delete(key);
    this.keys = keys;
  }
}

export const picked = new Picked();
