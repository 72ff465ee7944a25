/** Numbers as people read them, in the language that was chosen. */

import { speech } from "./words.svelte";

/** The language that was chosen, as it is written where the browser is from. */
function locale(): string {
  return navigator.languages?.find((tag) => tag.slice(0, 2).toLowerCase() === speech.language) ?? speech.language;
}

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
const formats = new Map<string, Intl.NumberFormat>();

export function number(value: number, digits = 0): string {
  const tag = locale();
  const key = `${tag}${digits}`;
  let format = formats.get(key);
  if (!format) {
    format = new Intl.NumberFormat(tag, { minimumFractionDigits: digits, maximumFractionDigits: digits });
    formats.set(key, format);
  }
  return format.format(value);
}

/** 1536 is "1.5 KiB"; three digits that count. */
export function size(bytes: number): string {
  let value = Math.max(0, bytes);
  let unit = 0;
  while (value >= 999.5 && unit < UNITS.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${number(value, unit === 0 || value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2)}\u00a0${UNITS[unit] ?? ""}`;
}

/** Bytes a second; nothing for none, so that a list is calm. */
export function rate(bytes: number): string {
  return bytes >= 1 ? `${size(bytes)}/s` : "";
}

export function percent(share: number): string {
  // Never 100 % before it is all.
  const value = Math.floor(Math.min(1, Math.max(0, share)) * 1000) / 10;
  return `${number(value, value === 100 || value === 0 ? 0 : 1)}\u00a0%`;
}

const SHORT = {
  en: { d: "d", h: "h", min: "min", s: "s" },
  de: { d: "T", h: "Std", min: "Min", s: "s" },
};

/** The two largest units: 93784 is "1 d 2 h". */
export function duration(seconds: number): string {
  const unit = SHORT[speech.language];
  const whole = Math.max(0, Math.round(seconds));
  const parts: [number, string][] = [
    [Math.floor(whole / 86_400), unit.d],
    [Math.floor(whole / 3600) % 24, unit.h],
    [Math.floor(whole / 60) % 60, unit.min],
    [whole % 60, unit.s],
  ];
  const first = parts.findIndex(([count]) => count > 0);
  if (first < 0) return `0\u00a0${unit.s}`;
  return parts
    .slice(first, first + 2)
    .filter(([count], at) => at === 0 || count > 0)
    .map(([count, name]) => `${count}\u00a0${name}`)
    .join(" ");
}

/** Time that is left; nothing where it is not known. */
export function eta(seconds: number | null): string {
  return seconds === null || seconds >= 8_640_000 ? "" : duration(seconds);
}

/** A moment: the time of today, else the day. Nothing for never (0). */
export function moment(seconds: number, whole = false): string {
  if (seconds <= 0) return "";
  const then = new Date(seconds * 1000);
  const today = then.toDateString() === new Date().toDateString();
  if (whole) return then.toLocaleString(locale(), { dateStyle: "medium", timeStyle: "short" });
  return today
    ? then.toLocaleTimeString(locale(), { timeStyle: "short" })
    : then.toLocaleDateString(locale(), { dateStyle: "medium" });
}

/** A moment to the second, with the day where it is not today. */
export function instant(seconds: number): string {
  const then = new Date(seconds * 1000);
  const time = then.toLocaleTimeString(locale(), { timeStyle: "medium" });
  return then.toDateString() === new Date().toDateString() ? time : `${then.toLocaleDateString(locale(), { dateStyle: "short" })} ${time}`;
}

/** How long ago. */
export function ago(seconds: number, now: number): string {
  const gone = Math.max(0, now - seconds);
  const [value, unit]: [number, Intl.RelativeTimeFormatUnit] =
    gone < 60 ? [gone, "second"] : gone < 3600 ? [gone / 60, "minute"] : gone < 86_400 ? [gone / 3600, "hour"] : [gone / 86_400, "day"];
  return new Intl.RelativeTimeFormat(locale(), { numeric: "auto" }).format(-Math.floor(value), unit);
}

/** "700K", "1.5 MiB/s", "2m" and "0" as bytes; null for what is none of these. */
export function bytes(text: string): number | null {
  const match = /^\s*(\d+(?:[.,]\d+)?)\s*([kmgtp]?)i?b?(?:\/s)?\s*$/i.exec(text);
  if (!match) return null;
  const value = Number((match[1] ?? "").replace(",", "."));
  const power = " kmgtp".indexOf((match[2] ?? "").toLowerCase() || " ");
  return Math.round(value * 1024 ** power);
}
