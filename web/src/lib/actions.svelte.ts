/** What is done to torrents, from wherever: the list, a menu, the keyboard, the detail. */

import { api, Problem, type Model } from "./api";
import { picked } from "./picked.svelte";
import { push } from "./push.svelte";
import { attempt, toasts } from "./toasts.svelte";
import { actionWords } from "../words/actions";

export type Act = NonNullable<Model<"Action">["act"]>;
export type Patch = Model<"TorrentPatch">;

class Failures {
  /** What went wrong with a torrent when something was last done to it; its row says so. */
  of = $state.raw<ReadonlyMap<string, string>>(new Map());

  /** Something is tried with these anew. */
  clear(keys: readonly string[]): void {
    if (!keys.some((key) => this.of.has(key))) return;
    const of = new Map(this.of);
    for (const key of keys) of.delete(key);
    this.of = of;
  }

  add(failed: readonly Model<"Failure">[]): void {
    const of = new Map(this.of);
    for (const one of failed) of.set(one.key, one.error);
    this.of = of;
  }
}

export const failures = new Failures();

/** Torrents that were removed by this page, about which nobody has to be told once more. */
export const removedHere = new Set<string>();

/** A name for a torrent that may not be in sight. */
function nameOf(key: string): string {
  return push.rows.get(key)?.name ?? key.slice(0, 8);
}

/** Does it to all, and says for how many it went wrong and why. */
async function together(keys: readonly string[], work: () => Promise<Model<"Outcome">>, said?: (done: number) => string): Promise<boolean> {
  failures.clear(keys);
  return attempt(async () => {
    const outcome = await work();
    if (outcome.failed?.length) {
      failures.add(outcome.failed);
      const lines = outcome.failed.slice(0, 50).map((one) => `${nameOf(one.key)}: ${one.error}`);
      toasts.warn(actionWords.t.failed(outcome.failed.length, outcome.done + outcome.failed.length), lines);
    } else if (said) toasts.say(said(outcome.done));
  });
}

export function act(keys: readonly string[], name: Act): Promise<boolean> {
  return together(keys, () => api.post("/actions", { body: { act: name, keys: [...keys] } as Model<"Action"> }));
}

export function change(keys: readonly string[], patch: Patch): Promise<boolean> {
  return together(keys, () => api.patch("/torrents", { body: { keys: [...keys], patch } as Model<"TorrentsPatch"> }));
}

/** Into the trash, from where a click brings them back; `now`: for good. */
export async function remove(keys: readonly string[], files: boolean, now = false): Promise<boolean> {
  const name = keys.length === 1 ? nameOf(keys[0] ?? "") : "";
  failures.clear(keys);
  for (const key of keys) removedHere.add(key);
  return attempt(async () => {
    const outcome = await api.post("/removals", { body: { keys: [...keys], files, now } as Model<"Removal"> });
    if (outcome.failed?.length) {
      failures.add(outcome.failed);
      toasts.warn(
        actionWords.t.failed(outcome.failed.length, keys.length),
        outcome.failed.slice(0, 50).map((one) => `${nameOf(one.key)}: ${one.error}`),
      );
    }
    const failed = new Set(outcome.failed?.map((one) => one.key));
    const gone = keys.filter((key) => !failed.has(key));
    picked.forget(gone);
    if (!gone.length) return;
    const text = name ? actionWords.t.removedOne(name) : actionWords.t.removed(gone.length);
    toasts.say(text, now ? undefined : { label: actionWords.t.undo, run: () => void restore(gone), about: gone });
  });
}

export function restore(keys: readonly string[]): Promise<boolean> {
  for (const key of keys) removedHere.delete(key);
  return together(keys, () => api.post("/trash/restore", { body: { keys: [...keys] } as Model<"Selection"> }), actionWords.t.restored);
}

export async function copy(text: string): Promise<void> {
  try {
    await navigator.clipboard.writeText(text);
    toasts.say(actionWords.t.copied);
  } catch {
    // Browsers give the clipboard to pages over TLS and on this machine only.
    toasts.warn(actionWords.t.notCopied, [text]);
  }
}

export async function magnet(key: string): Promise<string> {
  try {
    return (await api.get("/torrents/{key}", { path: { key } })).magnet;
  } catch (error) {
    if (error instanceof Problem) return "";
    throw error;
  }
}
