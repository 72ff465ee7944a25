/** What is about to be added: the dialog is open while `open` was said and not `close`. */

class Adding {
  shown = $state(false);
  /** Torrent files and links that were dropped, pasted or opened, until the dialog takes them. */
  sources = $state.raw<readonly (File | string)[]>([]);

  open(sources: readonly (File | string)[] = []): void {
    this.sources = [...this.sources, ...sources];
    this.shown = true;
  }

  close(): void {
    this.shown = false;
    this.sources = [];
  }

  take(): readonly (File | string)[] {
    const sources = this.sources;
    this.sources = [];
    return sources;
  }
}

export const adding = new Adding();

/** Links of a text: magnets, URLs and info hashes, one a line or word. */
export function linksOf(text: string): string[] {
  return text
    .split(/\s+/)
    .filter((word) => /^(magnet:\?|https?:\/\/)/i.test(word) || /^([0-9a-f]{40}|[0-9a-f]{64}|[a-z2-7]{32})$/i.test(word));
}
