/** A person who has never seen it: from the start link to a finished download, and what comes after. */

import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { picture, World } from "./world.mjs";

const world = new World();
const TREE = { "film.mkv": 3_000_000, "extras/interview.mkv": 900_000, "extras/photo.jpg": 200_000, "subs/de.srt": 4000 };
let daemon, swarm;

before(async () => {
  daemon = await world.daemon();
  swarm = await world.swarm("Nature film", TREE, { rate: "800K" });
});
after(() => world.end());

/** Lets go of a file of the machine above the page, as a file manager does. */
async function drop(page, path, name) {
  const data = readFileSync(path).toString("base64");
  await page.evaluate(([data, name]) => {
    const bytes = Uint8Array.from(atob(data), (char) => char.charCodeAt(0));
    const dropped = new DataTransfer();
    dropped.items.add(new File([bytes], name, { type: "application/x-bittorrent" }));
    for (const kind of ["dragover", "drop"]) document.body.dispatchEvent(new DragEvent(kind, { dataTransfer: dropped, bubbles: true, cancelable: true }));
  }, [data, name]);
}

const complete = (page, name) =>
  page.waitForFunction((name) => [...document.querySelectorAll("#list [data-key]")].some((line) => line.textContent.includes(name) && line.classList.contains("seeding")), name, { timeout: 90_000 });

test("the start link lets one in once; a password is chosen, and asked for the next time", async () => {
  const page = await world.page();
  const link = await daemon.link();
  await page.goto(link);
  await page.getByRole("radio", { name: /password/i }).first().waitFor();
  await picture(page, "first-run");
  await page.locator("input[name=new-password]").fill("a long pass phrase");
  await page.locator("input[name=again]").fill("a long pass phrase");
  await page.getByRole("button", { name: "Set the password" }).click();
  await page.getByRole("status").filter({ hasText: /password/i }).first().waitFor();
  await page.getByRole("button", { name: "Go to the list" }).click();
  await page.locator("#list").waitFor();
  await picture(page, "empty");

  const other = await world.page();
  await other.goto(link);
  await other.getByText(/good once|used|no longer|not good/i).waitFor();
  await other.goto(daemon.url);
  await other.locator("input[name=password]").fill("wrong");
  await other.getByRole("button", { name: "Log in" }).click();
  await other.getByRole("alert").waitFor();
  await other.locator("input[name=password]").fill("a long pass phrase");
  await other.getByRole("button", { name: "Log in" }).click();
  await other.locator("#list").waitFor();
  assert.deepEqual([...page.wrong, ...other.wrong], []);
});

test("a torrent file is dropped, files are chosen, and only these come", async () => {
  const page = await world.page();
  await world.enter(page, daemon);
  await drop(page, swarm.file, "film.torrent");
  const dialog = page.getByRole("dialog");
  await dialog.getByText("Nature film").first().waitFor();
  await dialog.getByRole("checkbox", { name: /extras/ }).waitFor();
  await dialog.getByRole("checkbox", { name: /extras/ }).uncheck();
  await picture(page, "add");
  await dialog.locator("button[type=submit]").click();
  await complete(page, "Nature film");
  const at = (path) => join(daemon.downloads, "Nature film", path);
  assert.deepEqual(readFileSync(at("film.mkv")), readFileSync(join(swarm.content, "film.mkv")));
  assert.ok(existsSync(at("subs/de.srt")) && !existsSync(at("extras/interview.mkv")));
  assert.deepEqual(page.wrong, []);
  assert.deepEqual(await page.evaluate(() => window.__policy), []);
});

test("it is moved, and removed, and had back", async () => {
  const page = await world.page();
  await world.enter(page, daemon);
  const line = page.locator("[data-key]", { hasText: "Nature film" });
  await line.click({ button: "right" });
  await page.getByRole("menuitem", { name: /Move files/ }).click();
  const place = join(world.folder, "daemon-downloads", "films");
  const dialog = page.getByRole("dialog");
  await dialog.getByRole("textbox").first().fill(place);
  await dialog.locator("button[type=submit]").click();
  await dialog.waitFor({ state: "detached" });
  await line.dblclick();
  await page.locator(".detail").getByText(place).first().waitFor();
  assert.ok(existsSync(join(place, "Nature film", "film.mkv")));
  await page.locator("#list").focus();
  await page.keyboard.press("Delete");
  await dialog.getByRole("button", { name: "Remove", exact: true }).click();
  await page.waitForFunction(() => document.querySelectorAll("#list [data-key]").length === 0);
  await page.goto(`${daemon.url}/#/trash`);
  await page.getByRole("button", { name: /Restore all/ }).click();
  await page.goto(`${daemon.url}/#/`);
  await line.waitFor();
  assert.deepEqual(page.wrong, []);
});

test("the files of a magnet link are seen before it starts", async () => {
  const page = await world.page();
  const other = await world.daemon({ name: "second" });
  await world.enter(page, other);
  await page.evaluate((text) => {
    const pasted = new DataTransfer();
    pasted.setData("text/plain", text);
    document.body.dispatchEvent(new ClipboardEvent("paste", { clipboardData: pasted, bubbles: true, cancelable: true }));
  }, swarm.magnet);
  const dialog = page.getByRole("dialog");
  await dialog.getByRole("checkbox", { name: /film\.mkv/ }).waitFor();
  assert.equal(await page.locator("#list [data-key]").count(), 0);
  await dialog.locator("button[type=submit]").click();
  await complete(page, "Nature film");
});

test("the demo is one button", async () => {
  const page = await world.page();
  const other = await world.daemon({ name: "third" });
  await world.enter(page, other);
  await page.getByRole("button", { name: /demo/i }).click();
  await page.locator("#list [data-key]").first().waitFor();
  await page.locator("#list [data-key]").first().dblclick();
  await page.waitForFunction(() => document.querySelector("#list [data-key]")?.classList.contains("downloading"));
  await page.locator(".detail canvas").first().waitFor();
  await page.waitForFunction(() => Number(document.querySelector("#list [role=progressbar]")?.getAttribute("aria-valuenow")) > 25, null, { timeout: 60_000 });
  await picture(page, "download");
  await page.waitForFunction(() => document.querySelector("#list [data-key]")?.classList.contains("seeding"), null, { timeout: 120_000 });
  await page.emulateMedia({ colorScheme: "dark" });
  await page.setViewportSize({ width: 360, height: 740 });
  await page.goto(`${other.url}/#/`);
  await page.locator("#list .narrow").first().waitFor();
  await picture(page, "phone");
  assert.deepEqual(page.wrong, []);
});
