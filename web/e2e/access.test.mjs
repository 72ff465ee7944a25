/** Everybody can use it: WCAG 2.1 AA by axe on every page, tab and dialog, all of it by keys, in German, and without motion. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { after, before, test } from "node:test";
import { api, madeUp, picture, sticksOut, World } from "./world.mjs";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"];
const world = new World();
let daemon, swarm, feed;

before(async () => {
  daemon = await world.daemon({ settings: ["downloads.start=false"] });
  swarm = await world.swarm("Open film", { "film.mkv": 3_000_000, "extras/talk.mkv": 900_000, "extras/photo.jpg": 200_000, "subs/de.srt": 4000 });
  feed = createServer((_, answer) => {
    answer.writeHead(200, { "Content-Type": "application/rss+xml" });
    answer.end('<rss version="2.0"><channel><title>Films</title>' + [1, 2, 3].map((at) =>
      `<item><title>Film ${at}</title><guid>${at}</guid><description>About it</description><link>http://127.0.0.1:9/${at}</link><enclosure type="application/x-bittorrent" length="5" url="http://127.0.0.1:9/${at}.torrent"/></item>`).join("") + "</channel></rss>");
  });
  await new Promise((resolve) => feed.listen(0, "127.0.0.1", resolve));
});
after(async () => {
  feed?.closeAllConnections();
  feed?.close();
  await world.end();
});

/** Everything that there is to see. */
async function furnished(page) {
  await api(page, "PUT", "/categories", { name: "films/open" });
  await api(page, "POST", "/tags", { names: ["red", "blue"] });
  await api(page, "POST", "/feeds", { path: "films", url: `http://127.0.0.1:${feed.address().port}/`, refresh_seconds: 0, parents: true });
  await api(page, "PUT", "/rules", { name: "All films", rule: { enabled: true, mustContain: "film", wildbach: { allFeeds: true } } });
  await api(page, "POST", "/access/keys", { name: "Sonarr", role: "user" });
  const more = { announce: swarm.tracker, comment: "A comment", "url-list": ["http://127.0.0.1:9/"] };
  for (const name of ["One", "Two", "Three", "Four"]) {
    await api(page, "POST", "/torrents", { files: [madeUp(name, [[["a", "one.mkv"], 3000], [["b.txt"], 200]], more).toString("base64")], category: "films/open", tags: ["red"] });
  }
  const { torrents } = await api(page, "GET", "/torrents");
  await api(page, "POST", "/removals", { keys: [torrents.find((row) => row.name === "Four").key], files: false });
  const [{ key }] = (await api(page, "POST", "/torrents", { files: [readFileSync(swarm.file).toString("base64")], stopped: false })).added;
  await page.waitForFunction(async (key) => (await (await fetch(`api/v1/torrents/${key}`)).json()).row.complete, key);
  return key;
}

async function checked(page, where, found) {
  await page.evaluate(() => Promise.all(document.getAnimations().filter((one) => one.effect.getComputedTiming().endTime !== Infinity).map((one) => one.finished.catch(() => {}))));
  const run = () => page.evaluate((rules) => window.axe.run(document, { runOnly: rules, resultTypes: ["violations"] }), RULES);
  let { violations } = await run();
  // What became another while it was looked at is looked at once more.
  if (violations.length) ({ violations } = await run());
  for (const one of violations) {
    for (const node of one.nodes.slice(0, 3)) found.push(`${where}: ${one.id}: ${node.target.join(" ")}: ${node.html.slice(0, 160)}: ${node.any[0]?.message ?? node.all[0]?.message ?? one.help}`);
  }
  for (const one of await sticksOut(page)) found.push(`${where}: sticks out: ${one}`);
}

const DIALOGS = ["move", "rename", "category", "tags", "limits"];
const LOOKS = [[1280, "light", "en-GB"], [360, "dark", "de-DE"], [1280, "dark", "en-GB"], [360, "light", "en-GB"]];
let key;

for (const [width, theme, language] of LOOKS) {
  const small = width < 720;
  test(`axe finds nothing: ${width} px, ${theme}, ${language}`, async () => {
    // The policy of the page lets nothing but its own scripts in; axe is let in by the tool, for this test only.
    const page = await world.page({ width, height: 760, theme, language, bypass: true });
    await page.addInitScript({ content: AXE });
    await world.enter(page, daemon);
    key ??= await furnished(page);
    const found = [];
    const look = (where) => checked(page, where, found);
    await page.goto(`${daemon.url}/#/`);
    await page.locator("#list [data-key]").nth(3).waitFor();
    await look("list");
    for (const place of ["feeds", "feeds/rules", "wallet", "groups", "statistics", "trash", "log", "settings", "access", "login"]) {
      await page.goto(`${daemon.url}/#/${place}`);
      await page.locator("main h1").first().waitFor();
      if (place === "feeds") await page.locator("main li .title").first().click();
      if (place === "feeds/rules") await page.locator("main li button").first().click();
      if (["trash", "groups", "access"].includes(place)) await page.locator("main tbody tr").first().waitFor();
      if (place === "settings") await page.locator("main input, main select").nth(3).waitFor();
      if (place === "statistics") await page.locator("canvas").nth(small ? 0 : 1).waitFor();
      await look(place);
    }
    await page.goto(`${daemon.url}/#/t/${key}`);
    const tabs = page.getByRole("tablist").last().getByRole("tab");
    await tabs.first().waitFor();
    for (let at = 0; at < await tabs.count(); at += 1) {
      await tabs.nth(at).click();
      await page.waitForFunction((at) => document.querySelectorAll("[role=tab]")[at]?.ariaSelected === "true", at);
      if (at === 1) await page.getByRole("tabpanel").locator("[data-at='1']").waitFor();
      if (at === 3) await page.getByRole("tabpanel").getByText("announce").first().waitFor();
      await look(`tab ${at}`);
    }
    await page.goto(`${daemon.url}/#/`);
    const dialog = page.getByRole("dialog");
    const row = page.locator("#list [data-key]").first();
    await row.waitFor();
    const menu = async () => {
      await row.click({ button: "right" });
      await page.getByRole("menu").waitFor();
    };
    await menu();
    await look("menu");
    await page.keyboard.press("Escape");
    for (const at of DIALOGS.keys()) {
      await menu();
      await page.getByRole("menuitem").filter({ hasText: "…" }).nth(at).click();
      await dialog.waitFor();
      await look(`dialog ${DIALOGS[at]}`);
      await page.keyboard.press("Escape");
      await dialog.waitFor({ state: "detached" });
    }
    await page.locator("#list").focus();
    await page.keyboard.press("Control+a");
    await page.getByRole("toolbar").waitFor();
    await look("several picked");
    await page.keyboard.press("Delete");
    await dialog.waitFor();
    await look("dialog remove");
    await page.keyboard.press("Escape");
    await dialog.waitFor({ state: "detached" });
    await page.keyboard.press("Escape");
    await page.keyboard.press("?");
    await dialog.waitFor();
    await look("dialog keyboard");
    await page.keyboard.press("Escape");
    await dialog.waitFor({ state: "detached" });
    await page.keyboard.press("a");
    await dialog.getByRole("textbox").first().fill(`magnet:?xt=urn:btih:${"ab".repeat(20)}&dn=Nobody\nhttp://127.0.0.1:9/none.torrent`);
    await page.keyboard.press("Enter");
    await dialog.getByRole("listitem").nth(1).waitFor();
    await dialog.locator("[type=submit]:enabled").waitFor();
    await dialog.locator(".failed").waitFor();
    await look("dialog add");
    await page.keyboard.press("Escape");
    assert.deepEqual(found, []);
    assert.deepEqual(page.wrong, []);
  });
}

test("axe finds nothing in the first steps, at the login, as a guest and in an empty list", async () => {
  const other = await world.daemon({ name: "other", fixed: false });
  const found = [];
  for (const [width, theme] of [[1280, "light"], [360, "dark"]]) {
    const page = await world.page({ width, theme, bypass: true });
    await page.addInitScript({ content: AXE });
    await page.goto(await other.link());
    await page.locator("h1").first().waitFor();
    await page.getByRole("radio").first().waitFor();
    await checked(page, "first steps", found);
  }
  const page = await world.page({ bypass: true });
  await page.addInitScript({ content: AXE });
  await world.enter(page, other);
  await page.getByRole("button", { name: /demo/i }).waitFor();
  await checked(page, "empty", found);
  await api(page, "POST", "/access/password", { user: "admin", password: "a long pass phrase", current: "" });
  await api(page, "PATCH", "/access", { trust_local: false, guest: false });
  await api(page, "POST", "/logout", {});
  await page.reload();
  await page.locator("input[name=password]").waitFor();
  await checked(page, "login", found);
  await page.locator("input[name=password]").fill("wrong");
  await page.keyboard.press("Enter");
  await page.getByRole("alert").waitFor();
  await checked(page, "login that failed", found);
  assert.deepEqual(found, []);
});

test("every page speaks German where the browser does, and nothing moves where that is wished for", async () => {
  const page = await world.page({ language: "de-AT" });
  await world.enter(page, daemon);
  assert.equal(await page.evaluate(() => document.documentElement.lang), "de");
  // Words of ours that a German page has no reason to show.
  const english = /\b(the|and|with|Settings|Search|Remove|Removed|Close|Cancel|Save|Size|Added|Files|Speed|Limits?|Name in the list|Download folder|Categories|Category|Statistics|Password|seconds|bytes|stopped|seeding|downloading)\b/;
  const left = [];
  const read = async (where) => {
    const texts = await page.evaluate(() => {
      const found = [];
      const walk = (node) => {
        if (node.nodeType === 3 && node.data.trim()) found.push(node.data.trim());
        if (node.nodeType !== 1 || node.classList.contains("name") || ["CODE", "KBD", "STYLE", "SCRIPT"].includes(node.tagName)) return;
        for (const name of ["aria-label", "title", "placeholder", "alt"]) if (node.getAttribute(name)) found.push(node.getAttribute(name));
        node.childNodes.forEach(walk);
      };
      walk(document.body);
      return found;
    });
    for (const text of texts) if (english.test(text)) left.push(`${where}: ${text.slice(0, 120)}`);
  };
  for (const place of ["", "feeds", "feeds/rules", "groups", "statistics", "trash", "log", "settings", "access", `t/${key}`, `t/${key}/files`, `t/${key}/peers`, `t/${key}/trackers`, `t/${key}/speed`, `t/${key}/log`]) {
    await page.goto(`${daemon.url}/#/${place}`);
    await page.locator("main h1, #list [data-key]").first().waitFor();
    if (place === "settings") await page.locator("main input, main select").nth(3).waitFor();
    if (place.startsWith("t/")) await page.getByRole("tabpanel").waitFor();
    await read(place || "list");
  }
  await page.goto(`${daemon.url}/#/`);
  await page.locator("#list").focus();
  await page.keyboard.press("?");
  await page.getByRole("dialog").waitFor();
  await read("keyboard");
  await page.keyboard.press("Escape");
  await page.keyboard.press("a");
  await page.getByRole("dialog").getByRole("textbox").first().waitFor();
  await read("add");
  await page.keyboard.press("Escape");
  assert.deepEqual(left, []);
  const moving = await page.evaluate(() => document.getAnimations().filter((one) => one.playState === "running" && one.effect.getComputedTiming().duration > 1).length);
  assert.equal(moving, 0);
});

test("by keys alone: a torrent is added, its files chosen, started, removed and had back", async () => {
  const page = await world.page();
  await world.enter(page, daemon);
  const { torrents } = await api(page, "GET", "/torrents");
  const old = torrents.find((row) => row.name === "Open film");
  if (old) await api(page, "POST", "/removals", { keys: [old.key], files: true, now: true });
  const focused = () => page.evaluate(() => {
    const at = document.activeElement === document.body ? null : document.activeElement;
    return `${at?.getAttribute("aria-label") ?? ""} ${at?.textContent ?? ""}`.trim();
  });
  /** Tab until the focus is on what is called so; everybody who only has keys does that. */
  const tabTo = async (name, by = "Tab") => {
    for (let count = 0; count < 120; count += 1) {
      if (name.test(await focused())) return;
      await page.keyboard.press(by);
    }
    assert.fail(`the focus never comes to ${name}; it is on ${await focused()}`);
  };
  await page.keyboard.press("a");
  await page.getByRole("dialog").waitFor();
  await page.keyboard.type(swarm.magnet);
  await page.keyboard.press("Enter");
  await page.getByRole("dialog").getByText("4 files", { exact: false }).waitFor();
  await tabTo(/Want Open film/);
  while (!/Want extras/.test(await focused())) await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Tab");
  assert.match(await focused(), /Priority of extras/);
  await page.keyboard.press("Shift+Tab");
  await page.keyboard.press("Space");
  await page.waitForFunction(() => document.activeElement?.checked === false);
  await tabTo(/^Add/);
  await page.keyboard.press("Enter");
  await page.getByRole("dialog").waitFor({ state: "detached" });
  await page.getByText("Added: Open film").waitFor();
  // The page does not lose the focus when a dialog closes.
  await page.waitForFunction(() => document.activeElement?.id === "list");
  await page.keyboard.press("Home");
  await page.waitForFunction(() => document.querySelector("#list .line.picked .name")?.textContent === "Open film");
  await page.keyboard.press("s");
  await page.waitForFunction(() => document.querySelector("#list .line.picked")?.classList.contains("seeding"), null, { timeout: 60_000 });
  const { files } = await api(page, "GET", `/torrents/${(await api(page, "GET", "/torrents?search=open")).torrents[0].key}/files`);
  assert.deepEqual(files.filter((file) => file.priority === 0).map((file) => file.path).sort(), ["Open film/extras/photo.jpg", "Open film/extras/talk.mkv"]);
  await page.keyboard.press("Enter");
  await page.waitForURL(/#\/t\//);
  await tabTo(/^Overview/);
  await page.keyboard.press("ArrowRight");
  await page.waitForURL(/\/files/);
  await tabTo(/files/i);
  await page.locator("#list").focus();
  await page.keyboard.press("Delete");
  await page.getByRole("dialog").waitFor();
  await page.keyboard.press("Enter");
  await page.getByText("Removed: Open film").waitFor();
  await page.waitForFunction(() => document.activeElement?.id === "list");
  await tabTo(/Undo/);
  await page.keyboard.press("Enter");
  await page.waitForFunction(() => [...document.querySelectorAll("#list [data-key]")].some((line) => line.textContent.includes("Open film")));
  assert.deepEqual(page.wrong, []);
});
