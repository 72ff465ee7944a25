/**
 * What the daemon says of itself, over one WebSocket.
 *
 * Each part of the page says what it shows (`show`) and gets that; the subscription is all of it together. What is
 * kept here is what the daemon said last. While the line is down `live` is false, and whoever shows something shows
 * that it is old.
 */

import { ROOT, type Model } from "./api";

export type Row = Model<"TorrentRow">;
export type Listing = NonNullable<Partial<Model<"Listing">>>;
export type TreeQuery = Partial<Model<"TreeQuery">>;

export interface Wishes {
  torrents?: Listing;
  facets?: boolean;
  transfer?: boolean;
  jobs?: boolean;
  trash?: boolean;
  sync?: boolean;
  log?: "debug" | "info" | "warning" | "error";
  previews?: string[];
  detail?: {
    key: string;
    parts?: ("files" | "peers" | "trackers" | "web_seeds" | "pieces")[];
    trees?: TreeQuery[];
    buckets?: number;
  };
}

interface Refused {
  error: { status: number; code: string; detail: string };
}

interface News {
  hello?: { version: string; now: number; role: string };
  error?: Refused["error"];
  torrents?: { keys?: string[]; rows?: ({ key: string } & Partial<Row>)[]; total?: number; offset?: number; loading?: boolean } & Partial<Refused>;
  [part: string]: unknown;
}

export interface List {
  keys: readonly string[];
  offset: number;
  total: number;
  loading: boolean;
}

const NOBODY: List = { keys: [], offset: 0, total: 0, loading: true };
const FIRST_PAUSE = 500;
const LONGEST_PAUSE = 15_000;
/** A page that scrolls says at most so often what it shows now. */
const ASK_EVERY = 80;
/** The daemon sends something each second; after this long the line counts as dead, whatever the browser thinks. */
const SILENCE = 12_000;
const KEPT_ROWS = 2000;

type Taker = (value: unknown) => void;

class Push {
  live = $state(false);
  /** Once it was: before that nothing is old, only not there yet. */
  everLive = $state(false);
  /** Seconds that the daemon's clock is ahead of this one. */
  skew = $state(0);
  version = $state("");
  /** The daemon is another version than this page: load it anew. */
  outdated = $state(false);
  list = $state.raw<List>(NOBODY);
  rows = $state.raw<ReadonlyMap<string, Row>>(new Map());
  facets = $state.raw<Model<"Facets"> | null>(null);
  transfer = $state.raw<Model<"Transfer"> | null>(null);
  jobs = $state.raw<Model<"Job">[]>([]);
  trashed = $state(0);

  #wishes = new Map<string, Wishes>();
  #takers = new Map<string, Set<Taker>>();
  #socket: WebSocket | null = null;
  #pause = FIRST_PAUSE;
  #timer = 0;
  #watchdog = 0;
  #asked = "";
  #askAt = 0;
  #askTimer = 0;
  #running = false;
  #fresh = false;

  start(): void {
    if (this.#running) return;
    this.#running = true;
    this.#connect();
  }

  stop(): void {
    this.#running = false;
    clearTimeout(this.#timer);
    this.#socket?.close();
    this.#lost();
    this.list = NOBODY;
    this.rows = new Map();
    this.everLive = false;
  }

  /** `who` shows this now; nothing: it is gone. */
  show(who: string, wishes?: Wishes): void {
    if (wishes) this.#wishes.set(who, wishes);
    else this.#wishes.delete(who);
    this.#askSoon();
  }

  /** `take` gets what comes for a part, such as `log`, or `detail.peers`. */
  on(part: string, take: Taker): () => void {
    const takers = this.#takers.get(part) ?? new Set();
    takers.add(take);
    this.#takers.set(part, takers);
    return () => takers.delete(take);
  }

  /** The daemon's time, seconds since 1970. */
  now(): number {
    return Date.now() / 1000 + this.skew;
  }

  #connect(): void {
    const url = new URL(`${ROOT.href}/push`);
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    const socket = new WebSocket(url);
    this.#socket = socket;
    socket.onopen = () => {
      this.#asked = "";
      this.#fresh = true;
      this.#ask();
      this.#listen();
    };
    socket.onmessage = (event: MessageEvent<string>) => {
      this.#pause = FIRST_PAUSE;
      this.live = true;
      this.everLive = true;
      this.#listen();
      this.#take(JSON.parse(event.data) as News);
    };
    socket.onclose = () => {
      if (this.#socket === socket) this.#lost();
    };
  }

  #listen(): void {
    clearTimeout(this.#watchdog);
    this.#watchdog = window.setTimeout(() => this.#socket?.close(), SILENCE);
  }

  #lost(): void {
    clearTimeout(this.#watchdog);
    this.#socket = null;
    this.live = false;
    if (!this.#running) return;
    for (const take of this.#takers.get("lost") ?? []) take(null);
    clearTimeout(this.#timer);
    this.#timer = window.setTimeout(() => this.#connect(), this.#pause * (0.75 + Math.random() / 2));
    this.#pause = Math.min(LONGEST_PAUSE, this.#pause * 2);
  }

  #askSoon(): void {
    clearTimeout(this.#askTimer);
    const wait = this.#askAt + ASK_EVERY - performance.now();
    if (wait <= 0) queueMicrotask(() => this.#ask());
    else this.#askTimer = window.setTimeout(() => this.#ask(), wait);
  }

  #ask(): void {
    if (this.#socket?.readyState !== WebSocket.OPEN) return;
    const all: Wishes = {};
    for (const wishes of this.#wishes.values()) Object.assign(all, wishes);
    const text = JSON.stringify({ subscribe: all });
    if (text === this.#asked) return;
    this.#asked = text;
    this.#askAt = performance.now();
    this.#socket.send(text);
  }

  #take(news: News): void {
    if (news.hello) {
      this.skew = news.hello.now - Date.now() / 1000;
      if (this.version && this.version !== news.hello.version) this.outdated = true;
      this.version = news.hello.version;
    }
    if (news.torrents && !news.torrents.error) this.#takeList(news.torrents);
    if (news["facets"]) this.facets = news["facets"] as Model<"Facets">;
    if (news["transfer"]) this.transfer = news["transfer"] as Model<"Transfer">;
    if (news["jobs"]) this.jobs = [...(news["jobs"] as Model<"Jobs">).jobs];
    if (news["trash"]) this.trashed = (news["trash"] as { count: number }).count;
    for (const [part, value] of Object.entries(news)) this.#tell(part, value);
    const detail = news["detail"] as ({ torrent?: Model<"TorrentDetail"> } & Record<string, unknown>) | undefined;
    // The one whose detail is open may be far from what the list shows.
    if (detail?.torrent) this.rows = new Map(this.rows).set(detail.torrent.row.key, detail.torrent.row);
    if (detail) for (const [part, value] of Object.entries(detail)) this.#tell(`detail.${part}`, value);
    this.#fresh = false;
  }

  #tell(part: string, value: unknown): void {
    for (const take of this.#takers.get(part) ?? []) take(value);
  }

  #takeList(news: NonNullable<News["torrents"]>): void {
    let rows = this.#fresh ? new Map<string, Row>() : (this.rows as Map<string, Row>);
    if (news.rows?.length) {
      rows = new Map(rows);
      for (const row of news.rows) rows.set(row.key, { ...rows.get(row.key), ...row } as Row);
    }
    const keys = news.keys ?? this.list.keys;
    if (rows.size > KEPT_ROWS) {
      const shown = new Set(keys);
      for (const key of rows.keys()) {
        if (rows.size <= KEPT_ROWS / 2) break;
        if (!shown.has(key)) rows.delete(key);
      }
    }
    this.rows = rows;
    if (news.keys || news.total !== undefined || news.offset !== undefined) {
      this.list = {
        keys,
        offset: news.offset ?? this.list.offset,
        total: news.total ?? this.list.total,
        loading: news.loading ?? this.list.loading,
      };
    }
  }
}

export const push = new Push();
