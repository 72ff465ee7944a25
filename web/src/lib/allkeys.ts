/** The torrents that the list shows, also those that are not in sight. */

import { api } from "./api";
import { filter } from "./filter.svelte";
import { attempt } from "./toasts.svelte";

export async function allKeys(offset = 0, limit = 200_000): Promise<string[]> {
  let keys: string[] = [];
  await attempt(async () => {
    keys = (await api.get("/keys", { query: { ...filter.listing, offset, limit } })).keys;
  });
  return keys;
}
