import { words } from "../lib/words.svelte";

export const speedWords = words(
  {
    span: "How far back",
    spans: { 60: "1 min", 300: "5 min", 1800: "30 min", 10800: "3 h", 86400: "24 h" } as Record<number, string>,
    down: "Down",
    up: "Up",
    noHistory: "What was before is not known:",
    shortSummary: (down: string, downMost: string, up: string, upMost: string) => `Down ${down} on average, at most ${downMost}. Up ${up} on average, at most ${upMost}.`,
    summary: (span: string, down: string, downMost: string, up: string, upMost: string) =>
      `Speed of the last ${span}. Down: ${down} on average, at most ${downMost}. Up: ${up} on average, at most ${upMost}.`,
  },
  {
    span: "Wie weit zurück",
    spans: { 60: "1 Min", 300: "5 Min", 1800: "30 Min", 10800: "3 Std", 86400: "24 Std" } as Record<number, string>,
    down: "Laden",
    up: "Geben",
    noHistory: "Was vorher war, ist nicht bekannt:",
    shortSummary: (down, downMost, up, upMost) => `Laden im Mittel ${down}, höchstens ${downMost}. Geben im Mittel ${up}, höchstens ${upMost}.`,
    summary: (span, down, downMost, up, upMost) =>
      `Geschwindigkeit der letzten ${span}. Laden: im Mittel ${down}, höchstens ${downMost}. Geben: im Mittel ${up}, höchstens ${upMost}.`,
  },
);
