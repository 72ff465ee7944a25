/**
 * The files of a torrent as rows, folders of which are open. Nothing is here that was not in sight once: of a folder its count is known,
 * and of its entries those that were asked for. Which row is which follows from the counts of the folders that are open.
 */

import type { Model } from "../../lib/api";
import type { TreeQuery } from "../../lib/push.svelte";

export type Entry = Model<"TreeEntry">;
export type Tree = Model<"Tree">;

/** A row; without an entry where it was not heard of yet. */
export interface Line {
  at: number;
  depth: number;
  /** Folder it is in. */
  under: string;
  /** Its place in that folder. */
  place: number;
  siblings: number;
  entry: Entry | undefined;
  open: boolean;
}

/** Entries are asked for in pieces of this many, so that a small scroll asks for nothing. */
const PIECE = 50;
/** Folders that are watched at once; those of which nothing is known come first. */
export const WATCHED = 8;

class Branch {
  total = -1;
  readonly entries = new Map<number, Entry>();
  /** Open folders in it, by their place. */
  readonly open = new Map<number, string>();
}

export class Rows {
  readonly #branches = new Map<string, Branch>([["", new Branch()]]);
  /** Of the whole, once it is known. */
  root: Tree | null = null;

  #branch(path: string): Branch {
    let found = this.#branches.get(path);
    if (!found) this.#branches.set(path, (found = new Branch()));
    return found;
  }

  isOpen(path: string): boolean {
    return path === "" || this.#branches.has(path);
  }

  open(path: string): void {
    this.#branch(path);
    this.#link(path);
  }

  close(path: string): void {
    if (path !== "") this.#branches.delete(path);
  }

  /** Everything may be elsewhere: what was heard is forgotten, and what is open stays so. */
  reset(keepOpen = true): void {
    const open = keepOpen ? [...this.#branches.keys()] : [""];
    this.#branches.clear();
    for (const path of open) this.#branches.set(path, new Branch());
    if (!keepOpen) this.root = null;
  }

  /** A folder has another name: it stays open under that. */
  renamed(from: string, to: string): void {
    for (const path of [...this.#branches.keys()]) {
      if (path !== from && !path.startsWith(from + "/")) continue;
      this.#branches.delete(path);
      this.#branches.set(to + path.slice(from.length), new Branch());
    }
    this.reset();
  }

  /** The row's place in the folder above it, where it is known. */
  #link(path: string): void {
    for (const branch of this.#branches.values()) {
      for (const [place, entry] of branch.entries) if (entry.path === path) branch.open.set(place, path);
    }
  }

  take(query: TreeQuery, tree: Tree): void {
    const branch = this.#branches.get(tree.under);
    if (!branch || tree.under !== (query.under ?? "")) return;
    if (tree.under === "") this.root = tree;
    if (branch.total !== tree.total) {
      branch.entries.clear();
      branch.open.clear();
      branch.total = tree.total;
    }
    const offset = query.offset ?? 0;
    tree.entries.slice(0, query.limit ?? PIECE).forEach((entry, number) => {
      const place = offset + number;
      branch.entries.set(place, entry);
      if (entry.folder && this.#branches.has(entry.path)) branch.open.set(place, entry.path);
      else branch.open.delete(place);
    });
  }

  #opened(branch: Branch): [number, Branch, string][] {
    const found: [number, Branch, string][] = [];
    for (const [place, path] of branch.open) {
      const below = this.#branches.get(path);
      if (below) found.push([place, below, path]);
    }
    return found.sort((a, b) => a[0] - b[0]);
  }

  #count(branch: Branch): number {
    // A folder that nothing was heard of shows one row that waits.
    let count = branch.total < 0 ? 1 : branch.total;
    for (const [, below] of this.#opened(branch)) count += this.#count(below);
    return count;
  }

  get count(): number {
    return this.#count(this.#branch(""));
  }

  /** The rows from `first` on, and what has to be asked for so that they are known and stay right. */
  window(first: number, count: number, narrowed: TreeQuery = {}): { lines: Line[]; queries: TreeQuery[] } {
    const lines: Line[] = [];
    const needed: { under: string; low: number; high: number; unknown: boolean }[] = [];
    const last = first + count;

    const walk = (branch: Branch, path: string, depth: number, start: number): number => {
      let at = start;
      let next = 0;
      const siblings = branch.total < 0 ? 1 : branch.total;
      const need = { under: path, low: Infinity, high: -1, unknown: false };
      const upTo = (end: number): void => {
        const from = Math.max(next, next + first - at);
        const to = Math.min(end, next + last - at);
        for (let place = from; place < to; place++) {
          const entry = branch.entries.get(place);
          lines.push({ at: at + place - next, depth, under: path, place, siblings, entry, open: branch.open.has(place) && this.#branches.has(entry?.path ?? "") });
          need.low = Math.min(need.low, place);
          need.high = Math.max(need.high, place);
          need.unknown ||= !entry;
        }
        at += end - next;
        next = end;
      };
      for (const [place, below, name] of this.#opened(branch)) {
        upTo(place + 1);
        at = walk(below, name, depth + 1, at);
      }
      upTo(siblings);
      if (need.high >= 0) needed.push(need);
      return at;
    };
    walk(this.#branch(""), "", 0, 0);
    lines.sort((a, b) => a.at - b.at);

    const queries = needed
      .sort((a, b) => Number(b.unknown) - Number(a.unknown))
      .slice(0, WATCHED)
      .map(({ under, low, high }) => {
        const offset = Math.floor(low / PIECE) * PIECE;
        return { ...narrowed, under, offset, limit: Math.ceil((high + 1 - offset) / PIECE) * PIECE };
      })
      .sort((a, b) => a.under.localeCompare(b.under));
    return { lines, queries };
  }

  /** The row of a folder that is open, or of an entry that was heard of; -1 where it is not to be seen. */
  rowOf(path: string): number {
    const walk = (branch: Branch, start: number): number => {
      let passed = 0;
      const opened = this.#opened(branch);
      for (const [place, below, name] of opened) {
        const at = start + passed + place;
        if (name === path) return at;
        if (path.startsWith(name + "/")) return walk(below, at + 1);
        passed += this.#count(below);
      }
      for (const [place, entry] of branch.entries) {
        if (entry.path !== path) continue;
        let above = 0;
        for (const [other, below] of opened) if (other < place) above += this.#count(below);
        return start + place + above;
      }
      return -1;
    };
    return walk(this.#branch(""), 0);
  }
}

/** How a box is: all, nothing, or some of it. */
export function boxOf(entry: Entry): "true" | "false" | "mixed" {
  if (!entry.folder || entry.size === 0) return entry.priority === 0 ? "false" : entry.priority < 0 ? "mixed" : "true";
  return entry.wanted === 0 ? "false" : entry.wanted >= entry.size ? "true" : "mixed";
}

export type Level = "mixed" | "none" | "usual" | "high" | "first";

/** The words for priorities: between 1 (usual) and 7 (first) all are high. */
export function levelOf(priority: number): Level {
  return priority < 0 ? "mixed" : priority === 0 ? "none" : priority === 1 ? "usual" : priority < 7 ? "high" : "first";
}

export const LEVELS = { none: 0, usual: 1, high: 4, first: 7 } as const;
