/** What the daemon says of playing a torrent: what plays, how it comes, how far one was. */

import { api, Problem, type Model } from "../../lib/api";

export type PlayFile = Model<"PlayFile">;
export type Playables = Model<"Playables">;
export type Play = Model<"Play">;
export type Kept = Omit<Model<"Watched">, "key" | "index">;

export interface Show extends Playables {
  /** The URL of the media host for this browser; empty where it does not run. */
  root: string;
}

/** On this machine it has a name of its own; from elsewhere it is where other machines are let in. */
export function rootOf(media: Model<"Media">, host: string): string {
  const near = host === "localhost" || host.endsWith(".localhost") || host === "[::1]" || /^127\./.test(host);
  return near ? media.browser : media.away;
}

export async function lookInto(key: string): Promise<Show> {
  const found = await api.get("/torrents/{key}/playables", { path: { key } });
  return { ...found, root: rootOf(found.media, location.hostname) };
}

/** Where what is made of a file lies: `/TOKEN/INDEX`. */
export function baseOf(show: Show, path: string): string {
  return show.root + path.split("/").slice(0, 3).join("/");
}

export function begin(key: string, index: number): Promise<Play> {
  return api.post("/plays", { body: { key, index } as Model<"PlayRequest"> });
}

export function look(id: string): Promise<Play> {
  return api.get("/plays/{id}", { path: { id } });
}

/** True where the torrent is gone with its files, as was wished. */
export async function end(id: string): Promise<boolean> {
  return (await api.delete("/plays/{id}", { path: { id } })).removed;
}

export function keep(key: string, index: number, kept: Kept): Promise<Model<"PlayPosition">> {
  return api.put("/watched", { body: { key, index, ...kept } as Model<"Watched"> });
}

/** From the cache to the downloads; its files stay where they are, as they are being read. */
export async function stay(key: string): Promise<void> {
  const { failed } = await api.post("/storage/keep", { body: { keys: [key], folder: "" } });
  if (failed[0]) throw new Problem(409, failed[0].code, failed[0].error);
}
