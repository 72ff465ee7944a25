/** What can be done to torrents, as a menu. */

import { act, change, copy, magnet } from "../../lib/actions.svelte";
import { href } from "../../lib/api";
import { push } from "../../lib/push.svelte";
import { link } from "../../lib/router.svelte";
import { who } from "../../lib/session.svelte";
import type { Item } from "../../ui/Menu.svelte";
import { actionWords } from "../../words/actions";
import { playWords } from "../../words/play";
import { categorising, limiting, moving, removing, renaming, tagging } from "./dialogs.svelte";

export function torrentMenu(keys: readonly string[]): Item[] {
  const t = actionWords.t;
  const key = keys[0] ?? "";
  const one = keys.length === 1;
  const rows = keys.map((each) => push.rows.get(each)).filter((row) => row !== undefined);
  const all = (is: (row: (typeof rows)[number]) => boolean): boolean => rows.length > 0 && rows.every(is);
  const looks: Item[] = one
    ? [
        { label: t.details, icon: "list", run: () => (location.hash = link("t", key)), hint: "Enter" },
        ...(who.user && rows[0]?.has_metadata ? [{ label: playWords.t.play, icon: "play", run: () => (location.hash = link("play", key)) } satisfies Item] : []),
        { label: t.copyMagnet, icon: "link", run: () => void magnet(key).then(copy), parted: true },
        { label: t.copyName, icon: "copy", run: () => void copy(rows[0]?.name ?? "") },
        { label: t.copyHash, run: () => void copy(key) },
      ]
    : [];
  if (!who.user) return looks;
  const running = all((row) => row.state !== "stopped" && row.state !== "error");
  return [
    running
      ? { label: t.stop, icon: "pause", run: () => void act(keys, "stop"), hint: "p" }
      : { label: t.start, icon: "play", run: () => void act(keys, "start"), hint: "s" },
    ...(running || all((row) => row.state === "stopped") ? [] : [{ label: t.stop, icon: "pause", run: () => void act(keys, "stop"), hint: "p" } satisfies Item]),
    { label: t.forceStart, icon: "bolt", run: () => void act(keys, "force_start") },
    { label: t.recheck, icon: "check", run: () => void act(keys, "recheck") },
    { label: t.reannounce, icon: "refresh", run: () => void act(keys, "reannounce") },
    { label: t.move, icon: "folder", run: () => moving.open(keys), parted: true },
    ...(one ? [{ label: t.rename, icon: "edit", run: () => renaming.open(keys) } satisfies Item] : []),
    { label: t.category, icon: "folder", run: () => categorising.open(keys) },
    { label: t.tags, icon: "tag", run: () => tagging.open(keys) },
    { label: t.limits, icon: "turtle", run: () => limiting.open(keys) },
    { label: t.sequential, checked: all((row) => row.sequential), run: () => void change(keys, { sequential: !all((row) => row.sequential) }), parted: true },
    { label: t.endsFirst, checked: all((row) => row.ends_first), run: () => void change(keys, { ends_first: !all((row) => row.ends_first) }) },
    { label: t.superSeed, checked: all((row) => row.super_seed), run: () => void change(keys, { super_seed: !all((row) => row.super_seed) }) },
    { label: t.auto, checked: all((row) => row.auto), run: () => void change(keys, { auto: !all((row) => row.auto) }) },
    { label: t.queueTop, icon: "top", run: () => void act(keys, "top"), parted: true },
    { label: t.queueUp, icon: "up", run: () => void act(keys, "up") },
    { label: t.queueDown, icon: "down", run: () => void act(keys, "down") },
    { label: t.queueBottom, icon: "bottom", run: () => void act(keys, "bottom") },
    ...looks,
    ...(one ? [{ label: t.export, icon: "download", run: () => void location.assign(href("/torrents/{key}/file", { path: { key } })) } satisfies Item] : []),
    { label: t.remove, icon: "trash", run: () => removing.open(keys), parted: true, bad: true, hint: "Del" },
  ];
}
