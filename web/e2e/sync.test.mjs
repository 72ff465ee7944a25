/** Folders kept the same on two daemons, all of it by the page: create, link, join, a conflict, an old version, taking a device out. */

import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync, readFileSync, unlinkSync, watch, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { after, before, test } from "node:test";
import { api, PATIENCE, picture, sticksOut, World } from "./world.mjs";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"];
const world = new World();
const here = (...parts) => join(world.folder, ...parts);
let desk, laptop, page, other, link, id;

async function pageOf(daemon, options = {}) {
  const made = await world.page({ bypass: true, ...options });
  await made.addInitScript({ content: AXE });
  await world.enter(made, daemon);
  await made.goto(`${daemon.url}/#/sync`);
  return made;
}

before(async () => {
  desk = await world.daemon({ name: "desk" });
  laptop = await world.daemon({ name: "laptop" });
  [page, other] = [await pageOf(desk), await pageOf(laptop)];
  await api(page, "PATCH", "/sync", { name: "desk" });
  await api(other, "PATCH", "/sync", { name: "laptop" });
}, { timeout: 4 * PATIENCE });
after(() => world.end());

async function fine(where, on = page) {
  await on.evaluate(() => Promise.all(document.getAnimations().filter((one) => one.effect.getComputedTiming().endTime !== Infinity).map((one) => one.finished.catch(() => {}))));
  const { violations } = await on.evaluate((rules) => window.axe.run(document, { runOnly: rules, resultTypes: ["violations"] }), RULES);
  assert.deepEqual(violations.map((one) => `${where}: ${one.id}: ${one.nodes.map((node) => node.html.slice(0, 160)).join(" ")}`), []);
  assert.deepEqual(await sticksOut(on), [], where);
  // Two are for the guide, the others are for a look at all of them.
  if (where === "folder" || where === "conflict") await picture(on, where === "folder" ? "sync" : "sync-conflict");
  else if (process.env.WILDBACH_LOOK) await picture(on, `sync-${where}`);
}

/** The file has that content on the disk: told by the kernel, not by a clock. */
function holds(path, content) {
  return new Promise((resolve, reject) => {
    const look = () => {
      if (!existsSync(path) || readFileSync(path, "utf8") !== content) return;
      watcher.close();
      clearTimeout(timer);
      resolve();
    };
    const watcher = watch(dirname(path), look);
    const timer = setTimeout(() => {
      watcher.close();
      reject(new Error(`${path} did not come to hold ${content}, but ${existsSync(path) ? readFileSync(path, "utf8") : "is not there"}`));
    }, PATIENCE);
    look();
  });
}

const dialog = (on = page) => on.getByRole("dialog");
const tab = (name, on = page) => on.getByRole("navigation", { name: "Notes" }).getByRole("link", { name });
let broken = "";
const step = (what, work) => test(what, async () => {
  assert.equal(broken, "", "a step before this one failed");
  broken = what;
  await work();
  broken = "";
});

step("before anything is there the page says what it is; a folder is made by keys", async () => {
  await page.getByText("There is no server.").waitFor();
  await fine("nothing");
  mkdirSync(here("desk", "pictures"), { recursive: true });
  writeFileSync(here("desk", "hello.txt"), "hello");
  writeFileSync(here("desk", "pictures", "brook.txt"), "a brook");
  await page.getByRole("button", { name: "Keep a folder the same" }).focus();
  await page.keyboard.press("Enter");
  await dialog().getByLabel("Folder on the machine of wildbach").fill(here("desk"));
  await dialog().getByLabel("Name").fill("Notes");
  await fine("create");
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "Notes", level: 1 }).waitFor();
  await page.getByText("on this device only").waitFor();
  await page.locator("[data-state=idle]").waitFor();
});

step("a link is made, shown once with a picture, and copied", async () => {
  await page.getByRole("button", { name: "Make a link" }).click();
  await dialog().getByLabel("Good for").selectOption("168");
  await dialog().getByRole("button", { name: "Make a link" }).click();
  await dialog().getByRole("img", { name: "The link as a QR code" }).waitFor();
  assert.ok(await dialog().getByRole("img").evaluate((image) => image.decode().then(() => image.naturalWidth > 20)));
  link = await dialog().getByLabel("Link", { exact: true }).inputValue();
  await dialog().getByRole("button", { name: "Copy the link" }).click();
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), link);
  await fine("link");
  await page.keyboard.press("Escape");
  await page.locator("[data-link]").getByText("for one device").waitFor();
  // Another one is taken back.
  await page.getByRole("button", { name: "Make a link" }).click();
  await dialog().getByLabel("Any number of devices").check();
  await dialog().getByRole("button", { name: "Make a link" }).click();
  const second = await dialog().locator("[data-made]").getAttribute("data-made");
  await page.keyboard.press("Escape");
  await page.locator(`[data-link='${second}']`).getByRole("button", { name: /^Take back/ }).click();
  await page.locator(`[data-link='${second}']`).waitFor({ state: "detached" });
});

step("what is no link is refused in words, and the link joins", async () => {
  mkdirSync(here("laptop"));
  await other.getByRole("button", { name: "Join with a link" }).click();
  await dialog(other).getByLabel("Link").fill("not a link");
  await dialog(other).getByLabel("Folder on the machine of wildbach").fill(here("laptop"));
  await dialog(other).getByRole("button", { name: "Join" }).click();
  await dialog(other).getByRole("alert").waitFor();
  await fine("join", other);
  await dialog(other).getByLabel("Link").fill(link);
  await dialog(other).getByRole("button", { name: "Try again" }).click();
  await other.getByRole("heading", { name: "Notes", level: 1 }).waitFor();
  await holds(here("laptop", "hello.txt"), "hello");
  await other.locator("[data-device]", { hasText: "desk" }).getByText("connected").waitFor();
  await page.locator("[data-device][data-connected=true]", { hasText: "laptop" }).waitFor();
  await page.getByText("the same everywhere").waitFor();
  await page.getByText("the recovery key was not saved yet").waitFor();
  ({ id } = (await api(page, "GET", "/sync")).folders[0]);
  for (const close of await page.locator(".toast").getByRole("button", { name: "Close" }).all()) await close.click();
  await page.mouse.move(0, 0);
  await fine("folder");
  await tab("Files").click();
  await page.getByRole("button", { name: "pictures", exact: true }).click();
  await page.locator("[data-item='pictures/brook.txt'][data-item-state=here]").waitFor();
  await fine("files");
});

step("a folder in it is left out on one device, and comes back", async () => {
  await tab("Files", other).click();
  await other.getByRole("button", { name: "Leave out here: pictures" }).click();
  await other.locator("[data-item=pictures][data-item-state=excluded]").waitFor();
  await other.getByRole("button", { name: "Keep here again: pictures" }).click();
  await other.locator("[data-item=pictures][data-item-state=here]").waitFor();
});

step("both change a file while one is paused: both are there, and the page resolves it", async () => {
  await other.getByRole("button", { name: "Pause" }).click();
  await other.locator("[data-state=paused]").waitFor();
  writeFileSync(here("laptop", "hello.txt"), "hello from the laptop");
  writeFileSync(here("desk", "hello.txt"), "hello from the desk");
  await page.waitForFunction(async (size) => (await (await fetch(`api/v1/sync`)).json()).folders[0].size === size, "hello from the desk".length + "a brook".length);
  await other.getByRole("button", { name: "Go on" }).click();
  await tab("Problems").click();
  const conflict = page.locator("[data-conflict]");
  await conflict.waitFor();
  await conflict.getByText("Under its name").waitFor();
  const copy = await conflict.getAttribute("data-conflict");
  const [kept, put] = [readFileSync(here("desk", "hello.txt"), "utf8"), readFileSync(here("desk", copy), "utf8")];
  assert.deepEqual([kept, put].sort(), ["hello from the desk", "hello from the laptop"]);
  // Said of who wrote what is in the copy, not of who kept it.
  await conflict.getByText(`written by ${put.split(" ").at(-1)}`).waitFor();
  await page.getByText("a conflict is open").waitFor();
  await conflict.getByRole("button", { name: "Where they differ: hello.txt" }).click();
  const differ = conflict.getByRole("region", { name: "Where they differ" });
  assert.equal(await differ.locator(".place").innerText(), `only under its name\n${kept}`);
  assert.equal(await differ.locator(".copy").innerText(), `only in the copy\n${put}`);
  await fine("conflict");
  await conflict.getByRole("button", { name: "Keep the copy" }).click();
  await conflict.waitFor({ state: "detached" });
  await page.getByText("a conflict is open").waitFor({ state: "detached" });
  await holds(here("desk", "hello.txt"), put);
  await holds(here("laptop", "hello.txt"), put);
  await page.waitForFunction(async (at) => !(await (await fetch(`api/v1/sync/folders/${at}/items`)).json()).items.some((one) => one.path.includes("conflict")), id);
  assert.deepEqual(readdirSync(here("laptop")).filter((name) => name.includes("conflict")), []);
});

step("an old version is brought back", async () => {
  writeFileSync(here("laptop", "pictures", "brook.txt"), "a dry brook");
  await holds(here("desk", "pictures", "brook.txt"), "a dry brook");
  await tab("Old versions").click();
  const version = page.locator("[data-version='pictures/brook.txt']").first();
  await version.waitFor();
  await fine("versions");
  await version.getByRole("button", { name: /^Restore/ }).click();
  await holds(here("desk", "pictures", "brook.txt"), "a brook");
  await holds(here("laptop", "pictures", "brook.txt"), "a brook");
  await tab("History").click();
  await page.locator("[data-event=restored]").waitFor();
  await fine("history");
});

step("patterns, the name, and the words of the recovery key, which are shown until they are saved", async () => {
  await tab("Settings").click();
  await page.locator("[data-ignores] textarea").first().fill("*.tmp");
  await page.locator("[data-ignores]").getByRole("button", { name: "Save" }).click();
  await holds(here("desk", ".wbignore"), "*.tmp");
  await page.getByRole("button", { name: "Show the words" }).click();
  assert.match(await page.locator("[data-words]").innerText(), /^(\w+\s){11,}\w+$/);
  await fine("settings");
  await page.getByRole("button", { name: "I saved them" }).click();
  await page.locator("[data-recovery=saved]").waitFor();
  await page.getByText("the recovery key was not saved yet").waitFor({ state: "detached" });
});

step("many files go at once: the page asks first, and gets them back", async () => {
  for (let number = 0; number < 80; number += 1) writeFileSync(here("desk", `note ${number}`), `note ${number}`);
  await holds(here("laptop", "note 79"), "note 79");
  await page.waitForFunction(async () => (await (await fetch("api/v1/sync")).json()).folders[0].state === "idle");
  for (let number = 0; number < 80; number += 1) unlinkSync(here("desk", `note ${number}`));
  await page.getByText("A question").waitFor();
  await page.getByText("many files are missing here at once", { exact: false }).waitFor();
  assert.equal(readFileSync(here("laptop", "note 0"), "utf8"), "note 0");
  await fine("question");
  await page.getByRole("button", { name: "No, take it back" }).click();
  await holds(here("desk", "note 79"), "note 79");
  await page.getByText("A question").waitFor({ state: "detached" });
});

step("what a device may do is changed, and it sees that; what it changes then stays there until it is taken back", async () => {
  await tab("Devices").click();
  await page.getByLabel("What laptop may do").selectOption("ro");
  await other.getByText("reads only").first().waitFor();
  writeFileSync(here("laptop", "hello.txt"), "changed where one only reads");
  await tab("Problems", other).click();
  await other.getByRole("button", { name: "Take my changes back" }).click();
  await holds(here("laptop", "hello.txt"), readFileSync(here("desk", "hello.txt"), "utf8"));
  await page.getByLabel("What laptop may do").selectOption("rw");
  await other.getByText("reads and writes").first().waitFor();
});

step("a device is taken out: nothing new reaches it, what it has stays", async () => {
  await tab("Devices").click();
  await page.getByRole("button", { name: "Take out: laptop" }).click();
  await dialog().getByText("What it has read it keeps").waitFor();
  await fine("revoke");
  await dialog().getByRole("button", { name: "Take out" }).click();
  await page.locator("[data-device]", { hasText: "laptop" }).waitFor({ state: "detached" });
  await other.getByText("this device was taken out of the folder").waitFor();
  assert.equal(readFileSync(here("laptop", "hello.txt"), "utf8").startsWith("hello from"), true);
});

step("folders of Syncthing are taken over with their patterns", async () => {
  mkdirSync(here("papers"));
  writeFileSync(here("papers", ".stignore"), "*.bak\n");
  mkdirSync(here("syncthing"));
  writeFileSync(here("syncthing", "config.xml"), `<configuration version="37"><folder id="p" label="Papers" path="${here("papers")}" type="sendreceive"></folder></configuration>`);
  await page.getByRole("link", { name: "All folders" }).click();
  await page.getByRole("button", { name: "Take over from Syncthing" }).click();
  await dialog().getByLabel("State folder of Syncthing").fill(here("syncthing"));
  await page.keyboard.press("Enter");
  await dialog().getByText("1 pattern").waitFor();
  await fine("syncthing");
  await dialog().getByRole("button", { name: "Take over" }).click();
  await page.getByRole("link", { name: "Papers" }).waitFor();
  await holds(here("papers", ".wbignore"), "*.bak\n");
  await fine("list");
});

step("on a phone, in the dark and in German it is all there; a folder is left, and its files stay", async () => {
  await other.setViewportSize({ width: 360, height: 760 });
  await other.emulateMedia({ colorScheme: "dark" });
  await other.reload();
  for (const [part, seen] of [["devices", "[data-devices]"], ["files", "[data-items]"], ["missing", "[data-troubles]"], ["versions", "[data-versions]"], ["history", "[data-history]"], ["settings", "[data-settings]"]]) {
    await other.goto(`${laptop.url}/#/sync/${id}/${part}`);
    await other.locator(seen).waitFor();
    await fine(`phone-${part}`, other);
  }
  const german = await pageOf(desk, { width: 360, height: 760, language: "de-DE" });
  await german.getByRole("link", { name: "Notes" }).click();
  await german.getByText("nur auf diesem Gerät").first().waitFor();
  await fine("german", german);
  await other.getByRole("button", { name: "Leave the folder" }).click();
  await dialog(other).getByRole("button", { name: "Leave the folder" }).click();
  await other.getByText("There is no server.").waitFor();
  assert.ok(existsSync(here("laptop", "hello.txt")));
  assert.deepEqual([...page.wrong, ...other.wrong, ...german.wrong], []);
});
