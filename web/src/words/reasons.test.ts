import { readFileSync } from "node:fs";
import { afterEach, expect, it } from "vitest";
import { prefs } from "../lib/prefs.svelte";
import { reason } from "./reasons";

afterEach(() => (prefs.language = ""));

it("says in German what the daemon says in English", () => {
  prefs.language = "de";
  expect(reason("calling 3 peers")).toBe("ruft 3 Peers an");
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
    "none of the known peers answers", "no peers are known", "the connected peers have nothing that is missing here", "waiting for a peer to serve us",
  ]) {
    expect(views).toContain(text);
    expect(reason(text)).not.toBe(text);
  }
});
