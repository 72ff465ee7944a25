/** The map of pieces: what a character of it means, and what all of it comes to. */

import type { Model } from "../../lib/api";

export type PieceMap = Model<"PieceMap">;

/** How much of a cell is there, 0 to 1. */
export function share(cell: string): number {
  return cell === "#" ? 1 : cell >= "1" && cell <= "9" ? Number(cell) / 10 : 0;
}

/** Cells of each kind, for who hears and does not see. */
export function tally(map: PieceMap): { there: number; partly: number; fetched: number; missing: number; nowhere: number } {
  const found = { there: 0, partly: 0, fetched: 0, missing: 0, nowhere: 0 };
  for (let at = 0; at < map.pieces.length; at++) {
    const cell = map.pieces[at] ?? "-";
    if (cell === "#") found.there++;
    else if (cell === ">") found.fetched++;
    else if (cell === "-") found.missing++;
    else found.partly++;
    if (cell !== "#" && map.availability.length && !map.availability[at]) found.nowhere++;
  }
  return found;
}

/** The pieces of a cell, counted from 1: first and last. */
export function range(map: PieceMap, cell: number): [number, number] {
  const per = Math.max(1, map.per_cell || 1);
  return [Math.floor(cell * per) + 1, Math.min(map.count || map.pieces.length, Math.floor((cell + 1) * per))];
}
