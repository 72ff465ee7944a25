import { expect, it } from "vitest";
import type { Peer } from "./looked.svelte";
import { countryName, hostOf, namesOf, sorted } from "./peers";

const peer = (endpoint: string, down_rate: number): Peer => ({ endpoint, down_rate, client: "" }) as Peer;

it("sorts addresses as numbers, and those that are alike always the same way", () => {
  const peers = [peer("10.0.0.10:1", 5), peer("10.0.0.9:1", 5), peer("10.0.0.1:1", 9)];
  expect(sorted(peers, "endpoint", false).map((one) => one.endpoint)).toEqual(["10.0.0.1:1", "10.0.0.9:1", "10.0.0.10:1"]);
  const [once, again] = [sorted(peers, "down_rate", true), sorted([...peers].reverse(), "down_rate", true)];
  expect(once[0]?.down_rate).toBe(9);
  expect(once).toEqual(again);
});

it("takes the port off an address of either kind", () => {
  expect(hostOf("192.0.2.7:6881")).toBe("192.0.2.7");
  expect(hostOf("[2001:db8::1]:6881")).toBe("2001:db8::1");
});

it("names countries, and nothing that is none", () => {
  expect(countryName("DE")).toBe("Germany");
  expect(countryName("")).toBe("");
  expect(countryName("<b")).toBe("");
});

it("tells connections with one web server apart", () => {
  const lane = { ...peer("", 0), client: "example.org" };
  expect(new Set(namesOf([lane, peer("10.0.0.1:1", 0), lane, lane])).size).toBe(4);
});
