/** Adding torrents: links and files are looked into first, and added as one likes it. */

import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { World } from "./world.mjs";

const world = new World();
let daemon;
let fest;
let album;

before(async () => {
  daemon = await world.daemon({ settings: ["downloads.start=false"] });
  fest = await world.swarm("fest", { "films/one.mkv": 300_000, "films/two.mkv": 200_000, "subs/one.srt": 4000, "poster.jpg": 50_000 });
  const content = world.content("album", { "a.flac": 90_000, "b.flac": 90_000 });
  album = `${content}.torrent`;
  await world.run("create", content, "-o", album);
});
after(() => world.end());

const api = (page, path) => page.evaluate(async (at) => (await fetch(`api/v1${at}`)).json(), path);
const found = async (page, name) => {
  const { torrents } = await api(page, `/torrents?search=${name}`);
  return { row: torrents[0], files: torrents[0] ? (await api(page, `/torrents/${torrents[0].key}/files`)).files : [] };
};
const drop = (page, ...paths) => page.evaluate((files) => {
  const data = new DataTransfer();
  for (const { name, bytes } of files) data.items.add(new File([Uint8Array.from(atob(bytes), (one) => one.charCodeAt(0))], name));
  document.dispatchEvent(new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true }));
}, paths.map((path) => ({ name: path.split("/").at(-1), bytes: readFileSync(path).toString("base64") })));

test("a magnet link's files are chosen before it begins", async () => {
  const page = await world.page();
  await world.enter(page, daemon);
  await page.keyboard.press("a");
  const dialog = page.getByRole("dialog", { name: "Add torrents" });
  await dialog.getByRole("textbox").first().fill(fest.magnet);
  await page.keyboard.press("Enter");
  await dialog.getByText("4 files", { exact: false }).waitFor();
  await dialog.getByRole("combobox", { name: "Only …" }).selectOption("video");
  await dialog.getByText("488 KiB in all").waitFor();
  await dialog.getByRole("checkbox", { name: "Want poster.jpg" }).click();
  await dialog.getByText("537 KiB in all").waitFor();
  const all = dialog.getByRole("checkbox", { name: "Want fest" });
  assert.ok(await all.evaluate((box) => box.indeterminate));
  await dialog.getByRole("combobox", { name: "Priority of films" }).selectOption("7");
  await dialog.getByLabel("Category").selectOption({ label: "New category …" });
  await dialog.getByRole("textbox", { name: "Name of the new category" }).fill("films/festival");
  await dialog.getByLabel("Name in the list").fill("The festival");
  await page.keyboard.press("Enter");
  await page.getByText("Added: The festival").waitFor();
  const { row, files } = await found(page, "festival");
  assert.equal(row.category, "films/festival");
  assert.equal(row.save_path, join(daemon.downloads, "films", "festival"));
  assert.equal(row.wanted, 550_000);
  assert.deepEqual(Object.fromEntries(files.map((file) => [file.path, file.priority])), {
    "fest/films/one.mkv": 7, "fest/films/two.mkv": 7, "fest/subs/one.srt": 0, "fest/poster.jpg": 1,
  });
  assert.deepEqual(page.wrong, []);
  assert.deepEqual(await page.evaluate(() => window.__policy), []);
});

test("what is wrong is said at its card, and the others are added; undo takes them out again", async () => {
  const page = await world.page();
  await world.enter(page, daemon);
  const junk = join(world.folder, "junk.torrent");
  writeFileSync(junk, "no torrent");
  await drop(page, album, junk);
  const dialog = page.getByRole("dialog", { name: "Add torrents" });
  await dialog.getByText("This is no torrent file", { exact: false }).waitFor();
  await dialog.getByText("2 files", { exact: false }).waitFor();
  await page.keyboard.press("Enter");
  await page.getByText("Added: album").waitFor();
  assert.equal(await dialog.getByRole("listitem").count(), 1);
  await page.keyboard.press("Escape");
  await page.getByRole("button", { name: "Undo" }).click();
  // The message leaves by itself; what it says stays so.
  await page.waitForFunction(async () => !(await (await fetch("api/v1/torrents?search=album")).json()).torrents.length);
  assert.equal((await found(page, "album")).row, undefined);
});

test("a link to the page asks even where nothing is asked otherwise, a daemon that was away is waited for, and Escape forgets it all", async () => {
  const page = await world.page();
  await page.addInitScript(() => localStorage.setItem("wildbach.prefs", JSON.stringify({ askBeforeAdding: false })));
  await world.enter(page, daemon);
  await page.goto(`${daemon.url}#/add?url=${encodeURIComponent("magnet:?xt=urn:btih:aaaaaaaaaabbbbbbbbbbccccccccccdddddddddd&dn=Nobody+has+it")}`);
  const dialog = page.getByRole("dialog", { name: "Add torrents" });
  await dialog.getByText("its files are chosen later then", { exact: false }).waitFor();
  await daemon.stop();
  await dialog.getByRole("textbox").first().fill("magnet:?xt=urn:btih:1111111111222222222233333333334444444444&dn=Another");
  await page.keyboard.press("Enter");
  await dialog.getByText("wildbach does not answer", { exact: false }).waitFor();
  await daemon.again();
  await dialog.getByRole("button", { name: "Add 2 torrents" }).waitFor();
  await page.keyboard.press("Escape");
  await dialog.waitFor({ state: "detached" });
  assert.equal((await found(page, "nobody")).row, undefined);
});

test("a URL that another page led here is asked only when somebody wants it", async () => {
  const asked = [];
  const server = createServer((request, response) => {
    asked.push(request.url);
    response.end(readFileSync(album));
  });
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  const url = `http://127.0.0.1:${server.address().port}/album.torrent`;
  const page = await world.page();
  await world.enter(page, daemon);
  await page.goto(`${daemon.url}#/add?url=${encodeURIComponent(url)}&url=magnet:%3Fxt=urn:btih:aaaaaaaaaabbbbbbbbbbccccccccccdddddddddd`);
  const dialog = page.getByRole("dialog", { name: "Add torrents" });
  // The magnet link was looked into after the URL would have been.
  await dialog.getByText("its files are chosen later then", { exact: false }).waitFor();
  assert.equal(await dialog.getByRole("textbox").first().inputValue(), url);
  assert.deepEqual(asked, []);
  await dialog.getByRole("button", { name: "Look", exact: true }).first().click();
  await dialog.getByText("2 files", { exact: false }).waitFor();
  assert.deepEqual(asked, ["/album.torrent"]);
  server.close();
});

test("without asking it is added at once, and what is there already is said", async () => {
  const page = await world.page({ width: 360, height: 740, language: "de-DE", theme: "dark" });
  await page.addInitScript(() => localStorage.setItem("wildbach.prefs", JSON.stringify({ askBeforeAdding: false })));
  await world.enter(page, daemon);
  await drop(page, album);
  await page.getByText("Hinzugefügt: album").waitFor();
  await drop(page, album);
  await page.getByText("War schon da, seine Tracker sind dazugekommen: album").waitFor();
  assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 360);
});
