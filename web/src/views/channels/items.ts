import { api, type Model } from "../../lib/api";
import { route } from "../../lib/router.svelte";

type Item = Model<"ChannelItem">;

/** It is a film or music, so there is something to play. */
export const plays = (item: Item): boolean => Boolean(item.magnet) && ["video", "audio"].includes(item.kind);

/** Plays the item's own file, also where its torrent has several, and shows the player. */
export async function play(item: Item): Promise<void> {
  const source = item.torrent ? { key: item.torrent, url: "" } : { key: "", url: item.magnet };
  const path = item.item.renditions?.[0]?.path ?? "";
  const begun = await api.post("/plays", {
    body: { ...source, torrent: "", index: null, path, name: "", delete_after: false, peers: [], channel: item.channel },
  });
  route.go("play", begun.key, ...(begun.file ? [String(begun.file.index)] : []));
}
