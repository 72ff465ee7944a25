/** The columns of the list: what each shows of a torrent, how wide it begins, and by which field it sorts. */

import * as format from "../../lib/format";
import type { Row } from "../../lib/push.svelte";

export interface Column {
  id: string;
  width: number;
  number?: boolean;
  text: (row: Row) => string;
}

export const COLUMNS: readonly Column[] = [
  { id: "name", width: 256, text: (row) => row.name },
  { id: "state", width: 114, text: () => "" },
  { id: "progress", width: 120, text: (row) => format.percent(row.progress) },
  { id: "size", width: 90, number: true, text: (row) => (row.size ? format.size(row.size) : "") },
  { id: "done", width: 90, number: true, text: (row) => (row.done ? format.size(row.done) : "") },
  { id: "down_rate", width: 96, number: true, text: (row) => format.rate(row.down_rate) },
  { id: "up_rate", width: 96, number: true, text: (row) => format.rate(row.up_rate) },
  { id: "eta", width: 96, number: true, text: (row) => format.eta(row.eta) },
  { id: "peers", width: 64, number: true, text: (row) => (row.peers ? format.number(row.peers) : "") },
  { id: "seeds", width: 70, number: true, text: (row) => (row.seeds ? format.number(row.seeds) : "") },
  { id: "ratio", width: 96, number: true, text: (row) => format.number(row.ratio, 2) },
  { id: "availability", width: 80, number: true, text: (row) => (row.availability < 0 ? "" : format.number(row.availability, 2)) },
  { id: "uploaded", width: 90, number: true, text: (row) => (row.uploaded ? format.size(row.uploaded) : "") },
  { id: "downloaded", width: 90, number: true, text: (row) => (row.downloaded ? format.size(row.downloaded) : "") },
  { id: "category", width: 120, text: (row) => row.category },
  { id: "tags", width: 140, text: (row) => row.tags.join(", ") },
  { id: "tracker", width: 150, text: (row) => host(row.tracker) },
  { id: "place", width: 70, number: true, text: (row) => (row.place ? format.number(row.place) : "") },
  { id: "added_at", width: 120, text: (row) => format.moment(row.added_at) },
  { id: "completed_at", width: 120, text: (row) => format.moment(row.completed_at) },
  { id: "active_at", width: 120, text: (row) => format.moment(row.active_at) },
  { id: "seeding_seconds", width: 110, number: true, text: (row) => (row.seeding_seconds ? format.duration(row.seeding_seconds) : "") },
  { id: "save_path", width: 220, text: (row) => row.save_path },
];

const byId = new Map(COLUMNS.map((column) => [column.id, column]));

/** Those of the names that there are, in that order; the name is always one. */
export function columnsOf(ids: readonly string[]): Column[] {
  const found = ids.map((id) => byId.get(id)).filter((one) => one !== undefined);
  const name = byId.get("name");
  return found.some((one) => one.id === "name") || !name ? found : [name, ...found];
}

export function host(url: string): string {
  try {
    return new URL(url).hostname || url;
  } catch {
    return url;
  }
}

/** How a torrent's bar looks. */
export function barKind(row: Row): "run" | "done" | "still" | "bad" {
  if (row.state === "error") return "bad";
  if (row.state === "stopped" || row.state === "queued") return row.complete ? "done" : "still";
  return row.complete && row.state === "seeding" ? "done" : "run";
}

export function stateIcon(row: Row): "down" | "up" | "pause" | "warn" | "search" | "refresh" | "move" | "clock" | "check" {
  switch (row.state) {
    case "downloading":
      return "down";
    case "seeding":
      return row.up_rate >= 1 ? "up" : "check";
    case "stopped":
      return row.complete ? "check" : "pause";
    case "error":
      return "warn";
    case "metadata":
      return "search";
    case "checking":
      return "refresh";
    case "moving":
      return "move";
    default:
      return "clock";
  }
}
