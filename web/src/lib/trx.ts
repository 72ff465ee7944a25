/** Amounts: SUN in whole numbers, shown and typed as TRX. */

import { number } from "./format";

const SUN = 1_000_000;

/** 1500000 is "1.5"; exact for all that a number holds exactly. */
export function trx(sun: number): string {
  const rest = sun % SUN;
  const whole = number((sun - rest) / SUN);
  if (!rest) return whole;
  return `${whole}${number(0.1, 1).replace(/\d/g, "")}${String(rest).padStart(6, "0").replace(/0+$/, "")}`;
}

/** What a person typed as SUN; null for what is no amount. One point or comma, which always is the decimal one. */
export function sun(text: string): number | null {
  const match = /^\s*(\d{1,10})(?:[.,](\d{1,6}))?\s*$/.exec(text);
  if (!match) return null;
  const value = Number(match[1]) * SUN + Number((match[2] ?? "").padEnd(6, "0") || 0);
  return Number.isSafeInteger(value) ? value : null;
}

/** As it is typed, without what separates thousands: `sun` of it is the same again. */
export function plain(sun: number): string {
  return (sun / SUN).toFixed(6).replace(/\.?0+$/, "");
}
