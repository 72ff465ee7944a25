/**
 * Which files of a torrent are wanted, and which of them first.
 *
 * A mark at a path holds for all below it that has no mark of its own; so a click at a folder of 100 000 files is one
 * mark. Priorities are those of the daemon: 0 not wanted, 1 usual, up to 7 first. Marks are never changed, only replaced.
 */

export interface Mark {
  priority: number;
  /** Of all that is at or below the path. */
  size: number;
}
export type Marks = ReadonlyMap<string, Mark>;

/** All is wanted. */
export const ALL: Marks = new Map();
export const USUAL = 1;

function isBelow(path: string, folder: string): boolean {
  return folder === "" ? path !== "" : path.startsWith(`${folder}/`);
}

function above(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf("/")));
}

export function priorityOf(marks: Marks, path: string): number {
  for (let at = path; ; at = above(at)) {
    const mark = marks.get(at);
    if (mark) return mark.priority;
    if (at === "") return USUAL;
  }
}

/** What it would have without a mark of its own. */
function inherited(marks: Marks, path: string): number {
  return path === "" ? USUAL : priorityOf(marks, above(path));
}

export function mark(marks: Marks, path: string, size: number, priority: number): Marks {
  const next = new Map(marks);
  for (const other of marks.keys()) if (isBelow(other, path)) next.delete(other);
  next.delete(path);
  if (inherited(next, path) !== priority) next.set(path, { priority, size });
  return next;
}

/** Only these; `size` is of all. */
export function only(size: number, files: Iterable<{ path: string; size: number }>): Marks {
  const marks = new Map<string, Mark>([["", { priority: 0, size }]]);
  for (const file of files) marks.set(file.path, { priority: USUAL, size: file.size });
  return marks;
}

/** What the marks below a folder make different in it. */
interface Tally {
  /** Bytes that are wanted more, or less, than if all below were as the folder is. */
  wanted: number;
  least: number;
  most: number;
}
const NOTHING: Tally = { wanted: 0, least: Infinity, most: -Infinity };
const tallies = new WeakMap<Marks, Map<string, Tally>>();

/** Made once for all folders, however many marks there are: each row on the screen asks. */
function tally(marks: Marks, path: string): Tally {
  let all = tallies.get(marks);
  if (!all) {
    all = new Map();
    for (const [at, { priority, size }] of marks) {
      const wanted = (Number(priority > 0) - Number(inherited(marks, at) > 0)) * size;
      for (let folder = at; folder !== ""; ) {
        folder = above(folder);
        const sum = all.get(folder);
        if (!sum) all.set(folder, { wanted, least: priority, most: priority });
        else {
          sum.wanted += wanted;
          sum.least = Math.min(sum.least, priority);
          sum.most = Math.max(sum.most, priority);
        }
      }
    }
    tallies.set(marks, all);
  }
  return all.get(path) ?? NOTHING;
}

/** Bytes that are wanted of what is at or below a path. */
export function wantedOf(marks: Marks, path: string, size: number): number {
  return (priorityOf(marks, path) > 0 ? size : 0) + tally(marks, path).wanted;
}

/** null: some of it. */
export function isWanted(marks: Marks, path: string): boolean | null {
  const own = priorityOf(marks, path) > 0;
  const { least, most } = tally(marks, path);
  return (own ? least === 0 : most > 0) ? null : own;
}

/** The priority of all of it; -1: they differ. */
export function priorityWithin(marks: Marks, path: string): number {
  const own = priorityOf(marks, path);
  const { least, most } = tally(marks, path);
  return Math.min(least, own) === Math.max(most, own) ? own : -1;
}

/** As the daemon takes it. */
export function asPaths(marks: Marks): Record<string, number> {
  return Object.fromEntries([...marks].map(([path, { priority }]) => [path, priority]));
}
