/** Which torrents the list shows. */

import { prefs } from "./prefs.svelte";
import type { Listing } from "./push.svelte";

export type Facet = "state" | "category" | "tag" | "tracker";

class Filter {
  search = $state("");
  chosen = $state<Record<Facet, string[]>>({ state: [], category: [], tag: [], tracker: [] });

  get any(): boolean {
    return this.search.trim() !== "" || Object.values(this.chosen).some((values) => values.length > 0);
  }

  get listing(): Listing {
    return {
      sort: prefs.sort,
      descending: prefs.descending,
      search: this.search.trim().slice(0, 200),
      state: [...this.chosen.state],
      category: [...this.chosen.category],
      tag: [...this.chosen.tag],
      tracker: [...this.chosen.tracker],
    };
  }

  /** Only this; again: all. `more`: besides what is chosen. */
  choose(facet: Facet, value: string, more = false): void {
    const old = this.chosen[facet];
    if (more) this.chosen[facet] = old.includes(value) ? old.filter((one) => one !== value) : [...old, value];
    else this.chosen[facet] = old.length === 1 && old[0] === value ? [] : [value];
  }

  clear(): void {
    this.search = "";
    this.chosen = { state: [], category: [], tag: [], tracker: [] };
  }
}

export const filter = new Filter();
