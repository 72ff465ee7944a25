/** Rows of torrents as they are now, also of those that are not in sight. */

import { api } from "./api";
import type { Row } from "./push.svelte";

const TOGETHER = 80;
const PAGE = 1000;
/** More than so many are found by reading the whole list. */
const MANY = 1600;

/** In no order; without those that are gone. Throws Problem. */
export async function rowsOf(keys: readonly string[]): Promise<Row[]> {
  const found: Row[] = [];
  if (keys.length <= MANY) {
    for (let at = 0; at < keys.length; at += TOGETHER) {
      const some = keys.slice(at, at + TOGETHER);
      found.push(...(await api.get("/torrents", { query: { keys: some, limit: PAGE } })).torrents);
    }
    return found;
  }
  const wanted = new Set(keys);
  for (let offset = 0; ; offset += PAGE) {
    const page = await api.get("/torrents", { query: { offset, limit: PAGE } });
    found.push(...page.torrents.filter((row) => wanted.has(row.key)));
    if (!page.torrents.length || found.length >= keys.length) return found;
  }
}

/** What all have; undefined where they differ, or there are none. */
export function alike<T>(rows: readonly Row[], of: (row: Row) => T): T | undefined {
  const first = rows[0];
  if (!first) return undefined;
  const value = of(first);
  return rows.every((row) => of(row) === value) ? value : undefined;
}
