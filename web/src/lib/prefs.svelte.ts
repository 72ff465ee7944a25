/** What somebody likes in this browser; kept in it. */

import type { Language } from "./words.svelte";

interface Kept {
  theme: "system" | "light" | "dark";
  language: Language | "";
  sort: string;
  descending: boolean;
  /** Names of columns, in order. */
  columns: string[];
  widths: Record<string, number>;
  sidebar: boolean;
  detailHeight: number;
  askBeforeAdding: boolean;
  /** Folders that were used last, the newest first. */
  folders: string[];
}

const USUAL: Kept = {
  theme: "system",
  language: "",
  sort: "added_at",
  descending: true,
  columns: ["name", "state", "progress", "size", "down_rate", "up_rate", "eta", "peers", "ratio"],
  widths: {},
  sidebar: true,
  detailHeight: 380,
  askBeforeAdding: true,
  folders: [],
};
const PLACE = "wildbach.prefs";

function read(): Kept {
  try {
    const kept = JSON.parse(localStorage.getItem(PLACE) ?? "{}") as Partial<Kept>;
    return { ...USUAL, ...kept };
  } catch {
    // What is not readable, or may not be read, is as if it were not there.
    return { ...USUAL };
  }
}

export const prefs: Kept = $state(read());
export const usual: Readonly<Kept> = USUAL;

/** Writes down what changes; to be called once, in an effect's root. */
export function keepPrefs(): void {
  $effect(() => {
    const text = JSON.stringify(prefs);
    try {
      localStorage.setItem(PLACE, text);
    } catch {
      // Private windows of some browsers keep nothing; then it holds until the page is closed.
    }
  });
}
