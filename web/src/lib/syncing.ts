/** How a folder that is kept the same stands, as one word and one colour. */

import type { Model } from "./api";

export type Folder = Model<"SyncFolder">;
export type Device = Model<"SyncDevice">;
export type Tone = "good" | "run" | "still" | "warn" | "bad";

export const others = (folder: Pick<Folder, "devices">): Device[] => folder.devices.filter((one) => !one.me);

/** A state of the Api, or what people ask for where it has nothing to do: `waiting` for what `reason` says, `conflicts`, `problems`, `alone` where nobody else has it yet, `away` where nobody is reached. */
export function standing(folder: Folder): string {
  if (folder.state !== "idle") return folder.state;
  if (folder.reason) return "waiting";
  if (folder.conflicts) return "conflicts";
  if (folder.problems) return "problems";
  const rest = others(folder);
  if (!rest.length) return "alone";
  return rest.some((one) => one.connected) ? "idle" : "away";
}

export function tone(folder: Folder): Tone {
  if (folder.state === "stopped") return "bad";
  if (folder.state === "asking") return "warn";
  if (folder.problems || folder.conflicts || folder.reason) return "warn";
  if (folder.state === "idle") return standing(folder) === "idle" ? "good" : "still";
  return folder.state === "paused" ? "still" : "run";
}

export const bar = (one: Tone): "run" | "done" | "still" | "bad" => (one === "good" ? "done" : one === "warn" ? "run" : one);

/** Folders that are left out, with `path` as one of them or not: one in another that is left out is none of its own. */
export function without(excluded: readonly string[], path: string, out: boolean): string[] {
  const rest = excluded.filter((one) => one !== path && !(out && one.startsWith(`${path}/`)));
  return out ? [...rest, path].sort() : rest;
}

/** `a/b/c` as what leads there: each part with its path. */
export function trail(path: string): { name: string; path: string }[] {
  const parts = path.split("/").filter(Boolean);
  return parts.map((name, at) => ({ name, path: parts.slice(0, at + 1).join("/") }));
}

export const base = (path: string): string => path.slice(path.lastIndexOf("/") + 1);
