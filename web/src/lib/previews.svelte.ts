/** What the daemon has found out of torrents that are about to be added: a card for each source. */

import { api, Problem, ROOT, send, type Model } from "./api";
import type { Source } from "./adding.svelte";
import { push } from "./push.svelte";
import { ALL, type Marks } from "./selection";
import { addWords } from "../words/add";

export type Preview = Model<"Preview">;

/** How a torrent is added. */
export interface Options {
  folder: string;
  category: string;
  tags: string[];
  start: boolean;
  sequential: boolean;
  endsFirst: boolean;
  skipCheck: boolean;
  top: boolean;
}

let next = 1;

export class Card {
  readonly id = next++;
  readonly source: Source;
  preview = $state.raw<Preview | null>(null);
  /** Why there is no preview. */
  error = $state("");
  marks = $state.raw<Marks>(ALL);
  name = $state("");
  /** null: those of all. */
  own = $state<Options | null>(null);
  adding = $state(false);
  /** Its files are chosen later. */
  anyway = $state(false);
  /** There are too many to look at it, too. */
  unseen = $state(false);
  gone = false;

  constructor(source: Source) {
    this.source = source;
  }

  get label(): string {
    return this.preview?.name || (typeof this.source === "string" ? nameOf(this.source) : this.source.name);
  }

  get state(): "sending" | Preview["state"] {
    if (this.error) return "failed";
    return this.preview?.state ?? "sending";
  }

  get why(): string {
    return this.error || (this.preview?.state === "failed" ? this.preview.error : "");
  }

  /** A link that can be added before its files are known. */
  get link(): boolean {
    return typeof this.source === "string" && !/^https?:/i.test(this.source);
  }

  get addable(): boolean {
    return this.state === "ready" || this.unseen || (this.link && (this.state === "metadata" || this.anyway));
  }
}

/** What a link says of its name. */
function nameOf(link: string): string {
  if (/^magnet:/i.test(link)) {
    const parameters = new URLSearchParams(link.slice(link.indexOf("?") + 1));
    return parameters.get("dn") || /[0-9a-z]{32,64}$/i.exec(parameters.get("xt") ?? "")?.[0] || link.slice(0, 80);
  }
  return link;
}

/** In plain words, with what proxies in between say, too. */
export function said(error: Problem, source: Source): string {
  // A proxy in between answers for a daemon that does not.
  if (error.code === "offline" || (error.code === "" && error.status >= 500)) return addWords.t.offline;
  if (error.status === 413) return addWords.t.tooLarge;
  if (error.status === 422 && typeof source !== "string") return addWords.t.noTorrent(error.message);
  return error.message;
}

export class Previews {
  cards = $state<Card[]>([]);
  #ends: (() => void)[] = [];
  /** Ids of those that the daemon keeps for this. Not reactive: while a dialog goes Svelte shows it what was before. */
  readonly #kept = new Set<string>();

  /** Until what it gives is called. */
  watch(): () => void {
    this.#ends = [
      push.on("previews", (news) => this.#take(news as Record<string, Preview | null>)),
      push.on("hello", () => this.#again()),
    ];
    return () => {
      push.show("previews");
      for (const end of this.#ends) end();
    };
  }

  /** Each source once. */
  add(sources: readonly Source[]): Card[] {
    const fresh: Card[] = [];
    for (const source of sources) {
      if (typeof source === "string" && this.cards.some((card) => card.source === source)) continue;
      fresh.push(new Card(source));
    }
    this.cards = [...this.cards, ...fresh];
    for (const card of fresh) void this.send(card);
    return fresh;
  }

  async send(card: Card): Promise<void> {
    this.#drop(card);
    card.error = "";
    card.unseen = false;
    card.preview = null;
    try {
      const { source } = card;
      const found =
        typeof source === "string"
          ? await api.post("/previews", { body: { url: source } as Model<"PreviewRequest"> })
          : ((await (await send("POST", new URL(`${ROOT.href}/previews`), source, "application/x-bittorrent")).json()) as Preview);
      if (card.gone) void forget(found.id);
      else {
        card.preview = found;
        this.#kept.add(found.id);
      }
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      card.error = said(error, card.source);
      // There is a largest number of previews, and none of torrents.
      card.unseen = error.code === "busy";
    }
    this.#show();
  }

  remove(card: Card): void {
    card.gone = true;
    this.#drop(card);
    this.cards = this.cards.filter((one) => one.id !== card.id);
    this.#show();
  }

  /** Nothing of it is wanted any more. */
  clear(): void {
    for (const card of this.cards) card.gone = true;
    for (const id of this.#kept) void forget(id);
    this.#kept.clear();
    this.cards = [];
  }

  /** It is in the list now; the daemon has its preview no more. */
  added(card: Card): void {
    if (card.preview) this.#kept.delete(card.preview.id);
    this.remove(card);
  }

  #drop(card: Card): void {
    if (card.preview && this.#kept.delete(card.preview.id)) void forget(card.preview.id);
  }

  #show(): void {
    const ids = this.cards.flatMap((card) => (card.preview ? [card.preview.id] : []));
    if (ids.length) push.show("previews", { previews: ids });
    else push.show("previews");
  }

  #take(news: Record<string, Preview | null>): void {
    for (const card of this.cards) {
      const found = card.preview ? news[card.preview.id] : undefined;
      if (found) card.preview = found;
      else if (found === null && !card.adding) {
        // A daemon that was started anew knows nothing of it.
        if (card.preview) this.#kept.delete(card.preview.id);
        void this.send(card);
      }
    }
  }

  /** There is a line again: what failed without one is tried anew. */
  #again(): void {
    for (const card of this.cards) if (card.error === addWords.t.offline) void this.send(card);
  }
}

async function forget(id: string): Promise<void> {
  try {
    await api.delete("/previews/{id}", { path: { id } });
  } catch (error) {
    // The daemon forgets it by itself after a while.
    if (!(error instanceof Problem)) throw error;
  }
}
