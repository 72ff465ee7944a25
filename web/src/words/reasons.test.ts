import { readFileSync } from "node:fs";
import { afterEach, expect, it } from "vitest";
import { prefs } from "../lib/prefs.svelte";
import { reason } from "./reasons";
import { syncReason } from "./syncreasons";

afterEach(() => (prefs.language = ""));

it("says in German what the daemon says in English", () => {
  prefs.language = "de";
  expect(reason("calling 3 peers")).toBe("ruft 3 Peers an");
  expect(reason("none of the 3 connected peers has any of the 17 missing pieces (0.97 copies)")).toBe(
    "keiner der 3 verbundenen Peers hat etwas, was hier fehlt (17 Stücke; 0.97 Kopien)");
  expect(reason("waiting for its turn in the queue: at most 5 complete torrents and 6 torrents at once")).toBe(
    "wartet in der Schlange, bis es an der Reihe ist: höchstens 5 fertige Torrents und 6 Torrents gleichzeitig");
  expect(reason("1 peer says it has what is missing here, and nothing comes")).toContain("1 Peer sagt");
  expect(reason("no peers: no tracker answers (a.org: timed out; b.org: refused and 2 more; next try in 20 s); looking in the DHT (1 node)")).toBe(
    "keine Peers: kein Tracker antwortet (a.org: timed out; b.org: refused und 2 weitere; nächster Versuch in 20 s); sucht in der DHT (1 Knoten)",
  );
});

it("leaves alone what it does not know, and all of it in English", () => {
  prefs.language = "de";
  expect(reason("the disk is full")).toBe("the disk is full");
  prefs.language = "en";
  expect(reason("calling 3 peers")).toBe("calling 3 peers");
});

it("knows the sentences that the engine says", () => {
  prefs.language = "de";
  const views = readFileSync("../src/wildbach/engine/views.py", "utf8");
  for (const text of [
    "no peers are known", "the only known peer does not answer", "1 peer has what is missing here, and does not serve us yet",
    "the disk is slow: what has come waits to be checked and written",
  ]) {
    expect(views).toContain(text);
    expect(reason(text)).not.toBe(text);
  }
});

it("knows all that the daemon says of why nothing is paid", () => {
  prefs.language = "de";
  const source = readFileSync("../src/wildbach/interfaces/api/paying.py", "utf8");
  const said = [...source.matchAll(/^ {4}Why\.\w+: "(.+)",$/gm)].map((match) => match[1] ?? "");
  expect(said.length).toBeGreaterThan(5);
  for (const text of said) expect(reason(text), text).not.toBe(text);
});

it("knows the sentences that Sync says, also those with names and numbers in them", () => {
  prefs.language = "de";
  const source = ["finding", "place", "planner"].map((name) => readFileSync(`../src/wildbach/services/sync/${name}.py`, "utf8")).join();
  for (const text of [
    "both sides call at the same time, to open their routers", "waiting for it at a relay", "being called",
    "not at the addresses that are known, and the DHT is not used", "not at the addresses that are known, and the DHT has no record of it",
    "does not answer where its record says that it is", "another folder stands at this path", "on its way", "no device in reach has it",
  ]) {
    expect(source).toContain(`"${text}"`);
    expect(syncReason(text)).not.toBe(text);
  }
  const views = readFileSync("../src/wildbach/interfaces/api/syncviews.py", "utf8");
  for (const part of ["deleted or changed many files at once: {many}. ", "many files are missing here at once: {many}. ", "many files went here within an hour: {many} are missing, and the other devices were told of "])
    expect(views).toContain(part);
  expect(syncReason("phone and laptop deleted or changed many files at once: 4,120 of 5,000. Is that meant? Until you say so, they stay here")).toMatch(/^phone and laptop: dort wurden.*: 4\.120 von 5\.000\. Ist/);
  expect(syncReason("many files are missing here at once: 60 of 100. Were they deleted on purpose? Until you say so, nothing is deleted on the other devices")).toMatch(/^hier fehlen.*: 60 von 100\. /);
  expect(syncReason("many files went here within an hour: 60 of 100 are missing, and the other devices were told of 30 before. Was that on purpose? Until you say so, no more is deleted there")).toMatch(/60 von 100 fehlen, und von 30/);
  expect(syncReason("not at the addresses that are known; the DHT is silent (timed out)")).toContain("schweigt (timed out)");
  expect(syncReason("something else")).toBe("something else");
  prefs.language = "en";
  expect(syncReason("being called")).toBe("being called");
});
