/** How a film reaches this browser: as it is, cut into segments, or with its pictures made anew; and why. */

export interface Track {
  index: number;
  kind: "video" | "audio" | "subtitle";
  codec: string;
  codecs?: string;
  language?: string;
  title?: string;
  default?: boolean;
  forced?: boolean;
  copied?: boolean;
  text?: boolean;
  height?: number;
  channels?: number;
}

interface Had {
  /** What the browser is asked about. */
  codecs: string;
  /** Why there is nothing; empty where there is. */
  code: string;
}

/** What the daemon says of a file. */
export interface Probe {
  container: string;
  duration: number;
  mime: string;
  tracks: Track[];
  chapters: { start: number; title?: string }[];
  hls: Had;
  transcode: Had;
  heights: number[];
}

export type Way = "direct" | "hls" | "made" | "ask" | "none";

export interface Asked {
  /** What `canPlayType` says. */
  plays: (mime: string) => boolean;
  /** What `MediaSource.isTypeSupported` says; nothing where there is no MediaSource. */
  buffers: (type: string) => boolean;
}

/**
 * `probe` is null where the daemon cannot look into files; then the type by the file's name has to do. `wish`: pictures may
 * be made anew. Another sound than the usual one can only be had in segments: browsers choose none.
 */
export function wayOf(probe: Probe | null, type: string, asked: Asked, { wish = false, sound = -1 } = {}): Way {
  if (probe === null) return type && asked.plays(type) ? "direct" : "none";
  const sounds = probe.tracks.filter((track) => track.kind === "audio");
  const usual = sound < 0 || sound === (usualSound(probe)?.index ?? -1);
  if (!wish && usual && probe.mime && named(probe) && asked.plays(probe.mime) && (sounds.length < 2 || sounds[0] === usualSound(probe))) return "direct";
  if (!wish && !probe.hls.code && asked.buffers(probe.hls.codecs)) return "hls";
  if (!probe.transcode.code && asked.buffers(probe.transcode.codecs)) return wish ? "made" : "ask";
  return probe.mime && asked.plays(probe.mime) ? "direct" : "none";
}

/** Every track has a name: of one without a browser cannot say that it plays it. */
function named(probe: Probe): boolean {
  return probe.tracks.every((track) => track.kind === "subtitle" || !!track.codecs);
}

export function usualSound(probe: Probe): Track | undefined {
  const sounds = probe.tracks.filter((track) => track.kind === "audio");
  return sounds.find((track) => track.default) ?? sounds[0];
}

/** `1:02:03`, `2:03`. */
export function clock(seconds: number): string {
  const whole = Math.max(0, Math.floor(Number.isFinite(seconds) ? seconds : 0));
  const two = (value: number): string => String(value).padStart(2, "0");
  const hours = Math.floor(whole / 3600);
  return `${hours ? `${hours}:${two(Math.floor(whole / 60) % 60)}` : Math.floor(whole / 60)}:${two(whole % 60)}`;
}

/** The name of a language in the page's own. */
export function languageName(code: string, speaker: string): string {
  if (!code || code === "und") return "";
  try {
    return new Intl.DisplayNames([speaker], { type: "language" }).of(code) ?? code;
  } catch {
    return code;
  }
}

/** Where in the file nothing is missing, as shares of it: of a map of pieces, those cells that are whole. */
export function stretches(cells: string, from: number, to: number): [number, number][] {
  const found: [number, number][] = [];
  const width = cells.length * (to - from);
  if (!width) return found;
  const first = cells.length * from;
  for (let at = Math.floor(first); at < Math.min(cells.length, Math.ceil(cells.length * to)); at++) {
    if (cells[at] !== "#") continue;
    const start = Math.max(0, (at - first) / width);
    const end = Math.min(1, (at + 1 - first) / width);
    const last = found.at(-1);
    if (last && start - last[1] < 1e-9) last[1] = end;
    else found.push([start, end]);
  }
  return found;
}
