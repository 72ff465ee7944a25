/** Subtitles in a file of one's own, or as the daemon sends them: lines with their times. Nothing in them is HTML. */

export interface Cue {
  start: number;
  end: number;
  text: string;
}

const TIME = /(?:(\d{1,3}):)?(\d{1,2}):(\d{1,2})[.,](\d{1,3})/;
const TIMING = new RegExp(`^\\s*${TIME.source}\\s*-->\\s*${TIME.source}`);
const MOST = 20_000;
const LONGEST = 2000;

/** `clean`: it comes from the daemon, which escaped what has to be. */
export function cuesOf(text: string, clean = false): Cue[] {
  const lines = text.split(/\r\n|\r|\n/);
  const found = lines.some((line) => line.startsWith("Dialogue:")) ? ofEvents(lines) : ofBlocks(lines, clean);
  return found.filter((cue) => cue.end > cue.start && cue.text.trim()).sort((a, b) => a.start - b.start);
}

function ofBlocks(lines: string[], clean: boolean): Cue[] {
  const found: Cue[] = [];
  for (let at = 0; at < lines.length && found.length < MOST; at++) {
    const times = TIMING.exec(lines[at] ?? "");
    if (!times) continue;
    const said: string[] = [];
    while (at + 1 < lines.length && lines[at + 1]?.trim()) said.push(lines[++at] ?? "");
    const all = said.join("\n").slice(0, LONGEST * 4);
    found.push({ start: seconds(times.slice(1, 5)), end: seconds(times.slice(5, 9)), text: clean ? all : escaped(all.replace(/\{\\[^{}]*\}/g, "")) });
  }
  return found;
}

function ofEvents(lines: string[]): Cue[] {
  const found: Cue[] = [];
  for (const line of lines) {
    if (!line.startsWith("Dialogue:") || found.length >= MOST) continue;
    const parts = line.slice("Dialogue:".length).split(",");
    const [start, end] = [TIME.exec(parts[1] ?? ""), TIME.exec(parts[2] ?? "")];
    const raw = parts.slice(9).join(",");
    if (!start || !end || /\{[^{}]*\\p[1-9]/.test(raw)) continue;
    const text = raw.replace(/\{[^{}]*\}/g, "").replace(/\\[Nn]/g, "\n").replace(/\\h/g, "\u00a0");
    found.push({ start: seconds(start.slice(1, 5)), end: seconds(end.slice(1, 5)), text: escaped(text) });
  }
  return found;
}

function seconds(parts: (string | undefined)[]): number {
  const [hours, minutes, whole, part] = parts;
  return Number(hours ?? 0) * 3600 + Number(minutes) * 60 + Number(whole) + Number((part ?? "0").padEnd(3, "0")) / 1000;
}

/** Bold, italics and underline stay; of other tags the text does. */
function escaped(text: string): string {
  return text
    .replace(/<(\/?)([ibu])(?:\s[^<>]*)?>/gi, "\ue000$1$2\ue001")
    .replace(/<\/?[a-z][^<>]*>/gi, "")
    .replace(/&(?!amp;|lt;|gt;|nbsp;)/g, "&amp;")
    .replace(/</g, "&lt;")
    .replace(/>/g, "&gt;")
    .replace(/\ue000/g, "<")
    .replace(/\ue001/g, ">")
    .slice(0, LONGEST);
}

/** The text of a file: by its mark, else UTF-8, else that of Western Windows. */
export function decoded(raw: Uint8Array): string {
  if (raw[0] === 0xff && raw[1] === 0xfe) return new TextDecoder("utf-16le").decode(raw);
  if (raw[0] === 0xfe && raw[1] === 0xff) return new TextDecoder("utf-16be").decode(raw);
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(raw);
  } catch {
    return new TextDecoder("windows-1252").decode(raw);
  }
}
