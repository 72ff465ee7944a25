/** What is about to be added: the dialog is open while `open` was said and not `close`. */

import { prefs } from "./prefs.svelte";

export type Source = File | string;

class Adding {
  shown = $state(false);
  /** Torrent files and links that were dropped, pasted or opened, until the dialog takes them. */
  sources = $state.raw<readonly Source[]>([]);
  /** Links that are written into the dialog and wait there for somebody to want them. */
  written = $state("");

  /** From somebody's hand: added at once where that was wished for. */
  open(sources: readonly Source[] = []): void {
    if (sources.length && !this.shown && !prefs.askBeforeAdding) {
      void import("./addnow").then(({ addNow }) => addNow(sources));
    } else this.ask(sources);
  }

  /** Asks in any case. */
  ask(sources: readonly Source[]): void {
    this.sources = [...this.sources, ...sources];
    this.shown = true;
  }

  /**
   * What came by a link to this page, which any page can lead to. The daemon would ask where a URL says, also in its own network: it
   * is only written into the dialog. Of a magnet link the swarm is asked.
   */
  led(links: readonly string[]): void {
    const urls = links.filter((link) => /^https?:/i.test(link));
    this.ask(links.filter((link) => !urls.includes(link)));
    this.written = [this.written, ...urls].filter(Boolean).join("\n");
  }

  close(): void {
    this.shown = false;
    this.sources = [];
    this.written = "";
  }

  take(): readonly Source[] {
    const sources = this.sources;
    this.sources = [];
    return sources;
  }

  takeWritten(): string {
    const text = this.written;
    this.written = "";
    return text;
  }
}

export const adding = new Adding();

function isLink(word: string): boolean {
  return /^(magnet:\?|https?:\/\/)/i.test(word) || /^([0-9a-f]{40}|[0-9a-f]{64}|[a-z2-7]{32})$/i.test(word);
}

/** Links of a text: magnets, URLs and info hashes, one a line or word. */
export function linksOf(text: string): string[] {
  return text.split(/\s+/).filter(isLink);
}

/** A text's links, each once, and the lines of it in which there is none. */
export function sorted(text: string): { links: string[]; rest: string } {
  const rest = text.split("\n").filter((line) => line.trim() !== "" && linksOf(line).length === 0);
  return { links: [...new Set(linksOf(text))], rest: rest.join("\n") };
}

/** Links of `#/add?url=…`, from the protocol handler, or from a bookmark that encodes nothing. */
export function linksOfAddress(search: string): string[] {
  const plain = /^url=((?:magnet:\?|https?:\/\/).*)$/i.exec(search);
  return plain?.[1] ? linksOf(plain[1]) : new URLSearchParams(search).getAll("url").flatMap(linksOf);
}
