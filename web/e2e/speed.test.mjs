/**
 * Large lists and long runs. Times depend on the machine: they are printed (`docs/measured.md`), and what is asserted is what does not:
 * how much is in the page, how much is loaded, how much is kept, and that scrolling does not stand still more than a bare page does here.
 */

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { api, madeUp, World } from "./world.mjs";

const MANY = 20_000;
const FRAMES = 300;
const ROWS = 150;
const FILES = 100_000;
const FIRST_PAGE = 150 * 1024;
const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const PYTHON = join(dirname(process.env.WILDBACH ?? join(ROOT, ".venv/bin/wildbach")), "python");
const world = new World();
let daemon;

before(async () => {
  const state = join(world.folder, "daemon-state", "daemon");
  mkdirSync(dirname(state), { recursive: true });
  execFileSync(PYTHON, ["-c", "import sys, pathlib; from bench.programs import fill_wildbach; fill_wildbach(pathlib.Path(sys.argv[1]), int(sys.argv[2]))", state, String(MANY)], { cwd: ROOT });
  daemon = await world.daemon({ settings: ["downloads.start=false", "api.push_seconds=0.2"] });
});
after(() => world.end());

const round = (value, digits = 1) => Number(value.toFixed(digits));

/** Scrolls what is `at` as fast as frames come, and tells of tasks longer than 50 ms and of the rows that were in the page. */
async function scrolled(page, cdp, at, frames) {
  const metric = async (name) => (await cdp.send("Performance.getMetrics")).metrics.find((one) => one.name === name).value;
  await cdp.send("Performance.enable");
  const kinds = ["ScriptDuration", "LayoutDuration", "RecalcStyleDuration"];
  const now = () => Promise.all(kinds.map(metric));
  const before = await now();
  const seen = await page.evaluate(async ([at, frames]) => {
    const view = document.querySelector(at);
    const long = [];
    const observer = new PerformanceObserver((list) => long.push(...list.getEntries().map((one) => one.duration)));
    observer.observe({ entryTypes: ["longtask"] });
    const step = Math.max(1, Math.floor((view.scrollHeight - view.clientHeight) / frames));
    let rows = 0;
    const began = performance.now();
    for (let frame = 0; frame < frames; frame += 1) {
      view.scrollTop += step;
      await new Promise((resolve) => requestAnimationFrame(resolve));
      rows = Math.max(rows, view.querySelectorAll(".line, .bare").length);
    }
    const took = performance.now() - began;
    await new Promise((resolve) => setTimeout(resolve));
    long.push(...observer.takeRecords().map((one) => one.duration));
    observer.disconnect();
    return { rows, took, long: long.length, longest: Math.round(Math.max(0, ...long)) };
  }, [at, frames]);
  const [script, layout, style] = (await now()).map((value, at) => round((1000 * (value - before[at])) / frames, 2));
  return { ...seen, script, layout, style, fps: Math.round((1000 * frames) / seen.took) };
}

test("twenty thousand torrents are scrolled through while they change", async (context) => {
  const bare = await world.page();
  await bare.setContent(`<div id="bare" style="height:600px;overflow:auto"><div style="height:${34 * MANY}px">${'<div class="bare" style="height:34px">A row that stands still</div>'.repeat(60)}</div></div>`);
  const none = await scrolled(bare, await bare.context().newCDPSession(bare), "#bare", FRAMES);
  await bare.context().close();

  const page = await world.page();
  await world.enter(page, daemon);
  await page.waitForFunction((count) => Number(document.querySelector("#list")?.getAttribute("aria-rowcount")) > count, MANY);
  const changing = await world.page();
  await world.enter(changing, daemon);
  await changing.goto(`${daemon.url}/#/access`);
  // What is in the middle of the list changes all the time.
  await changing.evaluate(async () => {
    const { torrents } = await (await fetch("api/v1/torrents?sort=added_at&descending=true&limit=1000&offset=9000")).json();
    let round = 0;
    window.__changing = true;
    void (async () => {
      while (window.__changing) {
        round += 1;
        const keys = torrents.filter((_, at) => at % 10 === round % 10).map((row) => row.key);
        await fetch("api/v1/torrents", { method: "PATCH", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ keys, patch: { up_limit: 1024 * round } }) });
        await new Promise((resolve) => setTimeout(resolve, 200));
      }
    })();
  });
  const cdp = await page.context().newCDPSession(page);
  const list = await scrolled(page, cdp, "#list .view", FRAMES);
  await changing.evaluate(() => (window.__changing = false));
  const told = (what) => `${what.fps} frames/s, ${what.script} ms of script, ${what.layout} of layout and ${what.style} of style a frame, ${what.long} tasks above 50 ms (longest ${what.longest}), ${what.rows} rows in the page`;
  context.diagnostic(`a bare page: ${told(none)}`);
  context.diagnostic(`the list: ${told(list)}`);
  assert.ok(list.rows > 10 && list.rows <= ROWS, `${list.rows} rows`);
  assert.ok(list.long <= 3 * none.long + FRAMES / 10, `${list.long} long tasks, ${none.long} of a bare page`);
  // Where one stops there are rows, and no places of rows.
  await page.waitForFunction(() => document.querySelectorAll("#list [data-key]").length > 10 && !document.querySelector("#list .ghost"));
  assert.deepEqual(page.wrong, []);
});

test("the first page is small", async (context) => {
  const page = await world.page();
  const cdp = await page.context().newCDPSession(page);
  await world.enter(page, daemon);
  await cdp.send("Network.enable");
  await cdp.send("Network.setCacheDisabled", { cacheDisabled: true });
  const parts = new Map();
  const sizes = new Map();
  cdp.on("Network.responseReceived", ({ requestId, response }) => new URL(response.url).pathname.includes("/api/") || parts.set(requestId, response.url));
  cdp.on("Network.loadingFinished", ({ requestId, encodedDataLength }) => sizes.set(requestId, encodedDataLength));
  await page.reload({ waitUntil: "networkidle" });
  await page.locator("#list [data-key]").first().waitFor();
  const loaded = [...parts].map(([id, url]) => [url.split("/").at(-1), sizes.get(id) ?? 0]);
  const total = loaded.reduce((sum, [, size]) => sum + size, 0);
  context.diagnostic(`${round(total / 1024)} KiB in ${loaded.length} files: ${loaded.map(([name, size]) => `${name} ${round(size / 1024)}`).join(", ")}`);
  assert.ok(loaded.length >= 3 && total > 10_000, "something was loaded");
  assert.ok(total <= FIRST_PAGE, `${total} bytes`);
});

test("a hundred thousand files are shown as fast as a few", async (context) => {
  const page = await world.page();
  await world.enter(page, daemon);
  const files = Array.from({ length: FILES }, (_, at) => [[`folder ${Math.floor(at / 1000)}`, `file ${at}.bin`], 1000]);
  const [{ key, error }] = (await api(page, "POST", "/torrents", { files: [madeUp("Many files", files).toString("base64")] })).added;
  assert.equal(error, "");
  await page.goto(`${daemon.url}/#/t/${key}`);
  const tab = page.getByRole("tab", { name: "Files" });
  await tab.waitFor();
  const took = await tab.evaluate((button) => new Promise((resolve) => {
    const began = performance.now();
    const look = () => (document.querySelector("[role=tabpanel] [data-at='2']") ? resolve(performance.now() - began) : requestAnimationFrame(look));
    button.click();
    look();
  }));
  const folder = page.getByRole("tabpanel").locator("[data-at='1']");
  await folder.click();
  await page.keyboard.press("ArrowRight");
  await page.getByRole("tabpanel").getByText("file 0.bin").waitFor();
  const tree = await page.evaluate(() => document.querySelectorAll("[role=tabpanel] [data-at]").length);
  context.diagnostic(`${Math.round(took)} ms from the click to the first rows, ${tree} rows in the page`);
  assert.ok(tree > 5 && tree <= ROWS, `${tree} rows`);
  assert.deepEqual(page.wrong, []);
});

test("an hour of changes leaves nothing behind", async (context) => {
  const page = await world.page();
  let line = null;
  await page.routeWebSocket(/\/push$/, (socket) => {
    line = socket;
    const server = socket.connectToServer();
    server.onMessage((message) => socket.send(message));
  });
  await world.enter(page, daemon);
  await page.locator("#list [data-key]").nth(10).waitFor();
  const { torrents } = await api(page, "GET", "/torrents?sort=added_at&descending=true&limit=30");
  const { torrents: others } = await api(page, "GET", "/torrents?sort=added_at&limit=300");
  const transfer = await api(page, "GET", "/transfer");
  const cdp = await page.context().newCDPSession(page);
  const heap = async () => {
    for (let count = 0; count < 3; count += 1) await cdp.send("HeapProfiler.collectGarbage");
    const { usedSize } = await cdp.send("Runtime.getHeapUsage");
    return { used: usedSize, nodes: await page.evaluate(() => document.querySelectorAll("*").length) };
  };
  let second = 0;
  // As the daemon tells of them: rates of rows in sight and of the whole; now and then another one comes and goes.
  const seconds = async (count) => {
    for (const end = second + count; second < end; second += 1) {
      const rows = torrents.map((row, at) => ({ key: row.key, down_rate: (second * 7919 + at * 104_729) % 9_000_000, up_rate: (second * 31 + at) % 90_000, eta: (second * 17 + at) % 9000, progress: (second % 1000) / 1000, state: "downloading" }));
      const guest = others[second % others.length];
      const news = { torrents: { rows: [...rows, guest] }, transfer: { ...transfer, down_rate: second * 1000, up_rate: second } };
      if (second % 10 === 0) Object.assign(news.torrents, { keys: [guest.key, ...torrents.slice(1).map((row) => row.key)], total: torrents.length, offset: 0 });
      line.send(JSON.stringify(news));
      // All that was sent so far has been taken and shown.
      if (second % 20 === 19) await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve))));
    }
  };
  await seconds(600);
  const before = await heap();
  await seconds(3600);
  const after = await heap();
  context.diagnostic(`${round(before.used / 2 ** 20, 2)} MiB, after 3,600 more changes ${round(after.used / 2 ** 20, 2)} MiB; ${before.nodes} elements, then ${after.nodes}`);
  assert.ok(after.used < before.used * 1.05, `${before.used} became ${after.used}`);
  assert.ok(after.nodes < before.nodes * 1.1, `${before.nodes} elements became ${after.nodes}`);
  assert.deepEqual(page.wrong, []);
});
