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

/** Bytes that are wanted of what is at or below a path. */
export function wantedOf(marks: Marks, path: string, size: number): number {
  let sum = priorityOf(marks, path) > 0 ? size : 0;
  for (const [other, { priority, size: of }] of marks) {
    if (isBelow(other, path)) sum += (Number(priority > 0) - Number(inherited(marks, other) > 0)) * of;
  }
  return sum;
}

/** null: some of it. */
export function isWanted(marks: Marks, path: string): boolean | null {
  const own = priorityOf(marks, path) > 0;
  for (const [other, { priority }] of marks) if (isBelow(other, path) && priority > 0 !== own) return null;
  return own;
}

/** The priority of all of it; -1: they differ. */
export function priorityWithin(marks: Marks, path: string): number {
  const own = priorityOf(marks, path);
  for (const [other, { priority }] of marks) if (isBelow(other, path) && priority !== own) return -1;
  return own;
}

/** As the daemon takes it. */
export function asPaths(marks: Marks): Record<string, number> {
  return Object.fromEntries([...marks].map(([path, { priority }]) => [path, priority]));
}
