/** Folders of the daemon's machine. */

import { api, Problem, type Model } from "./api";
import { prefs } from "./prefs.svelte";

export type Folder = Model<"Folder">;

export interface Place {
  folder: Folder;
  /** It is there; else `folder` is the nearest one above it that is. */
  there: boolean;
}

const REMEMBERED = 6;
const DEEPEST = 12;

/** The path of the folder above; nothing where there is none. */
export function above(path: string): string {
  const cut = path.replace(/[/\\]+$/, "").search(/[/\\][^/\\]*$/);
  return cut < 0 ? "" : path.slice(0, cut) || path.slice(0, 1);
}

export function below(folder: string, entry: string): string {
  const name = entry.replace(/\/$/, "");
  return /[/\\]$/.test(folder) ? folder + name : `${folder}/${name}`;
}

/** What is there; an empty path is the usual folder. Throws Problem where the API may not look there. */
export async function place(path: string, signal?: AbortSignal): Promise<Place> {
  let missing: Problem | null = null;
  for (let at = path.trim(), step = 0; step < DEEPEST; step += 1) {
    try {
      const folder = await api.get("/folders", { query: { path: at, folders_only: true }, ...(signal ? { signal } : {}) });
      return { folder, there: missing === null };
    } catch (error) {
      if (!(error instanceof Problem) || error.code !== "not_found") throw missing && error instanceof Problem && error.code === "forbidden_path" ? missing : error;
      missing ??= error;
      const next = above(at);
      if (!next || next === at) break;
      at = next;
    }
  }
  throw missing;
}

/** It was used: offered first the next time. */
export function remember(path: string): void {
  const clean = path.trim();
  if (clean) prefs.folders = [clean, ...prefs.folders.filter((one) => one !== clean)].slice(0, REMEMBERED);
}

/** The end of a path, which tells it from others. */
export function shortly(path: string): string {
  const parts = path.split(/[/\\]/).filter(Boolean);
  return parts.length > 2 ? `…/${parts.slice(-2).join("/")}` : path;
}
