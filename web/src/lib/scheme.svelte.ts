/** Whether the page is dark now, for what is drawn and does not follow by itself. */

import { MediaQuery } from "svelte/reactivity";
import { prefs } from "./prefs.svelte";

const system = new MediaQuery("(prefers-color-scheme: dark)");

export const scheme = {
  get dark(): boolean {
    return prefs.theme === "dark" || (prefs.theme === "system" && system.current);
  },
};
