import { api } from "./api";
import { attempt, toasts } from "./toasts.svelte";
import { listWords } from "../words/list";

/** A torrent that is shared on the daemon's machine only, to see how it looks. */
export async function startDemo(): Promise<void> {
  if (await attempt(() => api.post("/demo"))) toasts.say(listWords.t.demoStarted);
}
