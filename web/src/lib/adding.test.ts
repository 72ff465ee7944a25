import { expect, test } from "vitest";
import { adding, linksOf, linksOfAddress, sorted } from "./adding.svelte";

const HASH = "0123456789abcdef0123456789abcdef01234567";
const MAGNET = `magnet:?xt=urn:btih:${HASH}&dn=a+b&tr=http%3A%2F%2Ft.example%2Fannounce`;

test("a text's links are magnets, URLs and info hashes", () => {
  expect(linksOf(`see ${MAGNET}\nhttps://example.org/a.torrent ${HASH} javascript:alert(1) file:///etc/passwd`)).toEqual([
    MAGNET,
    "https://example.org/a.torrent",
    HASH,
  ]);
});

test("lines without a link stay, and each link is there once", () => {
  expect(sorted(`${HASH}\nhello\n\n${HASH}\nworld`)).toEqual({ links: [HASH], rest: "hello\nworld" });
});

test("the address has links encoded, as browsers do it, or plain, as people do", () => {
  expect(linksOfAddress(`url=${encodeURIComponent(MAGNET)}`)).toEqual([MAGNET]);
  expect(linksOfAddress(`url=${MAGNET}`)).toEqual([MAGNET]);
  expect(linksOfAddress(`url=${HASH}&url=https%3A%2F%2Fexample.org%2Fa`)).toEqual([HASH, "https://example.org/a"]);
  expect(linksOfAddress("url=javascript:alert(1)")).toEqual([]);
});

test("of what another page led here magnets are looked into, and nothing is asked where a URL says before somebody wants it", () => {
  adding.led(["http://192.168.1.1/reboot", MAGNET, HASH, "HTTPS://router.lan/"]);
  expect(adding.shown).toBe(true);
  expect(adding.take()).toEqual([MAGNET, HASH]);
  expect(adding.takeWritten()).toBe("http://192.168.1.1/reboot\nHTTPS://router.lan/");
  adding.led(["http://192.168.1.1/"]);
  adding.close();
  expect([adding.written, adding.sources]).toEqual(["", []]);
});
