/** Torrents that are added without being asked about first. */

import { api, type Model } from "./api";
import { remove } from "./actions.svelte";
import { adding, type Source } from "./adding.svelte";
import { attempt, toasts } from "./toasts.svelte";
import { addWords } from "../words/add";
import { common } from "../words/common";

/** A file's content as the API takes it within JSON. */
export function base64(file: Blob): Promise<string> {
  return new Promise((done, failed) => {
    const reader = new FileReader();
    reader.onload = () => done(String(reader.result).replace(/^[^,]*,/, ""));
    reader.onerror = () => failed(reader.error ?? new Error("unreadable"));
    reader.readAsDataURL(file);
  });
}

/** Says what was added, with a way back for what was not there before. */
export function tell(added: readonly Model<"Added">[]): void {
  const t = addWords.t;
  const good = added.filter((one) => !one.error);
  const bad = added.filter((one) => one.error);
  const fresh = good.filter((one) => !one.duplicate).map((one) => one.key);
  if (bad.length) toasts.warn(t.notAdded(bad.length), bad.map((one) => `${one.source}: ${one.error}`));
  if (!good.length) return;
  const [one] = good;
  const text = good.length === 1 && one ? (one.duplicate ? t.wasThere(one.name) : t.addedOne(one.name || one.source)) : t.added(good.length);
  toasts.say(text, fresh.length ? { label: common.t.undo, run: () => void remove(fresh, false), about: fresh } : undefined);
}

export async function addNow(sources: readonly Source[]): Promise<void> {
  const urls = sources.filter((one) => typeof one === "string");
  const files = sources.filter((one) => one instanceof File);
  const done = await attempt(async () => {
    if (urls.length) tell((await api.post("/torrents", { body: { urls } as Model<"AddRequest"> })).added);
    // One by one: a request has a largest size, and what fails is said with the file's name.
    const added: Model<"Added">[] = [];
    for (const file of files) {
      const answer = await api.post("/torrents", { body: { files: [await base64(file)] } as unknown as Model<"AddRequest"> });
      added.push(...answer.added.map((one) => ({ ...one, source: file.name })));
    }
    if (files.length) tell(added);
  });
  // So that they are not lost.
  if (!done) adding.ask(sources);
}
