/** Names and texts that would like to be more than text, everywhere one is shown. */

import assert from "node:assert/strict";
import { createServer } from "node:http";
import { createServer as listen } from "node:net";
import { after, before, test } from "node:test";
import { api, bencode, madeUp, picture, sticksOut, World } from "./world.mjs";

const COUNT = 200;
const RUN = "window.__x=1";
const SHAPES = [
  `<img src=x onerror="${RUN}">`, `<script>${RUN}</script>`, `<svg onload="${RUN}">`, `javascript:${RUN}`, `"><img src=x onerror=${RUN}>`,
  `'-${RUN}-'`, `\`\${${RUN}}\``, `{{constructor.constructor('${RUN}')()}}`, `{@html "<img src=x onerror=${RUN}>"}`, `]]><script>${RUN}</script>`,
  `</style><style>*{background:url(http://127.0.0.1:9/)}</style>`, `</title><script>${RUN}</script>`, `<iframe srcdoc="<script>parent.${RUN}</script>">`,
  `<a href="javascript:${RUN}">here</a>`, `<form><button formaction=javascript:${RUN}>`, `<base href=//127.0.0.1:9/>`, `<meta http-equiv=refresh content="0;url=//127.0.0.1:9/">`,
  "\u202Egpj.exe\u202D reversed \u2066isolated", "zero\u200B\u200C\u200D\u2060\uFEFFwidth", "a\u0000b\u0001c\u001b[31md\u007f", "one\r\ntwo\tthree\u2028four\u2029",
  "👩‍👩‍👧‍👦🏳️‍🌈🇩🇪".repeat(12), "Z\u0335\u0321\u0308\u030a".repeat(40), "مرحبا بالعالم שלום", "W".repeat(4000), "very long words ".repeat(250), "../../../etc/passwd", "..", "CON.txt ", "%00%2e%2e%2f", "__proto__", "constructor",
  "\ud83d unpaired", "&lt;b&gt;&amp;&#x202e;", "$& $1 $`", "a/b\\c:d*e?f|g",
];
const hostile = Array.from({ length: COUNT }, (_, at) => `${SHAPES[at % SHAPES.length]}${at < SHAPES.length ? "" : ` ${at}`}`);

const world = new World();
let daemon, web, peer;

before(async () => {
  const xml = (text) => text.replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f]/g, "").replace(/[<>&"']/g, (sign) => `&#${sign.codePointAt(0)};`);
  const feed = `<?xml version="1.0"?><rss version="2.0"><channel><title>${xml(SHAPES[0])}</title>${hostile.map((name, at) =>
    `<item><title>${xml(name)}</title><guid>${at}</guid><description>${xml(name)} ${xml(SHAPES[1])}</description><link>${xml(at % 2 ? `javascript:${RUN}` : `http://127.0.0.1:9/${name}`)}</link>` +
    `<enclosure type="application/x-bittorrent" length="1000" url="${xml(at % 3 ? `http://127.0.0.1:9/${encodeURIComponent(name.replace(/[\ud800-\udfff]/g, ""))}` : `javascript:${RUN}`)}"/></item>`).join("")}</channel></rss>`;
  web = createServer((request, answer) => {
    answer.writeHead(200, { "Content-Type": request.url === "/feed" ? "application/rss+xml; charset=utf-8" : "text/html" });
    answer.end(request.url === "/feed" ? feed : SHAPES[1]);
  });
  peer = listen((socket) => {
    socket.on("error", () => {});
    socket.once("data", (data) => {
      if (data[0] !== 19) return socket.destroy();
      const hello = Buffer.from(data.subarray(0, 68));
      hello.fill(0, 20, 28);
      hello[25] = 0x10;
      hello.write("-XX0001-<img src=x>", 48, "latin1");
      const words = Buffer.concat([Buffer.from([20, 0]), bencode({ m: {}, v: `${SHAPES[0]}\u202e${"V".repeat(500)}` })]);
      const length = Buffer.alloc(4);
      length.writeUInt32BE(words.length);
      socket.write(Buffer.concat([hello, length, words]));
    });
  });
  await Promise.all([web, peer].map((server) => new Promise((resolve) => server.listen(0, "127.0.0.1", resolve))));
  daemon = await world.daemon({ settings: ["downloads.start=false", "peers.encryption=off"] });
});
after(async () => {
  web?.closeAllConnections();
  web?.close();
  peer?.close();
  await world.end();
});

const key = async (page, begin) => (await api(page, "GET", "/torrents?limit=1000")).torrents.find((row) => row.tags.includes(begin)).key;

/** Nothing ran, nothing was asked of anybody, nothing is broken. */
async function unharmed(page, where) {
  assert.equal(await page.evaluate(() => window.__x), undefined, where);
  assert.deepEqual(await page.evaluate(() => window.__policy), [], where);
  assert.deepEqual(page.wrong, [], where);
  assert.deepEqual(await sticksOut(page), [], where);
}

async function filled() {
  const page = await world.page();
  await world.enter(page, daemon);
  // What the daemon does not take it says, and that is shown as text, too.
  const taken = { categories: 0, tags: 0 };
  for (const name of hostile.slice(0, 60)) {
    await api(page, "PUT", "/categories", { name }).then(() => (taken.categories += 1), () => {});
    await api(page, "POST", "/tags", { names: [name] }).then(() => (taken.tags += 1), () => {});
  }
  assert.ok(taken.categories > 15 && taken.tags > 15, JSON.stringify(taken));
  const { categories } = await api(page, "GET", "/categories");
  const { names: tags } = await api(page, "GET", "/tags");
  const files = hostile.map((name, at) => [[name.slice(0, 60).replace(/[/\0]/g, "_") || "_", hostile[(at * 7) % COUNT].replace(/\//g, "_").slice(0, 200)], 1000 + at]);
  const address = `http://127.0.0.1:${web.address().port}`;
  const trackers = SHAPES.map((shape) => `${address}/${shape}`).concat(SHAPES);
  const torrents = hostile.map((name, at) => madeUp(name, null, { comment: hostile[(at + 1) % COUNT], "created by": hostile[(at + 2) % COUNT], announce: trackers[at % trackers.length] }));
  torrents.push(madeUp(SHAPES[0], files, { comment: SHAPES[1], "created by": SHAPES[4], "announce-list": trackers.map((url) => [url]), "url-list": SHAPES.map((shape) => `${address}/${encodeURI(shape.replace(/[\ud800-\udfff]/g, ""))}`) }));
  let added = 0;
  for (const [at, data] of torrents.entries()) {
    const request = {
      files: [data.toString("base64")], category: categories[at % categories.length].name, tags: [tags[at % tags.length], ...(at === COUNT ? ["all of it"] : [])],
      save_path: `${daemon.downloads}/${at % 5 ? "" : hostile[at % COUNT].replace(/[\0/]/g, "_").replace(/[\ud800-\udfff]/g, "").slice(0, 50)}`,
    };
    const [found] = (await api(page, "POST", "/torrents", request)).added;
    if (!found.error) added += 1;
  }
  assert.ok(added > 190, `${added} torrents`);
  return page;
}

test("two hundred hostile names are text in the list, the filters and the menus", async () => {
  const page = await filled();
  await page.locator("#list [data-key]").first().waitFor();
  await picture(page, "hostile-list");
  for (let top = 0; top < COUNT * 34; top += 500) {
    await page.locator("#list .view").evaluate((view, to) => view.scrollTo(0, to), top);
    await page.waitForFunction(() => !document.querySelector("#list .ghost"));
    await unharmed(page, `list at ${top}`);
  }
  assert.ok(await page.locator("aside").getByText("onerror").count() > 0);
  await page.locator("#list [data-key]").nth(3).click({ button: "right" });
  await page.getByRole("menu").waitFor();
  await unharmed(page, "menu");
});

const PLACES = ["", "feeds", "feeds/rules", "groups", "statistics", "trash", "log", "settings", "access"];

for (const [width, theme, language] of [[1280, "light", "en-GB"], [360, "dark", "de-DE"]]) {
  test(`on every page and in every tab of the detail, ${width} px`, async () => {
    const page = await world.page({ width, height: 760, theme, language });
    await world.enter(page, daemon);
    if (width === 1280) {
      await api(page, "POST", "/feeds", { path: SHAPES[3].slice(0, 40), url: `http://127.0.0.1:${web.address().port}/feed`, refresh_seconds: 0, parents: true });
      await api(page, "PUT", "/rules", { name: SHAPES[0], rule: { enabled: true, mustContain: SHAPES[1], wildbach: { allFeeds: true } } });
      const { torrents } = await api(page, "GET", "/torrents?limit=1000");
      await api(page, "POST", "/removals", { keys: torrents.filter((row) => !row.tags.includes("all of it")).slice(0, 60).map((row) => row.key), files: false });
      await page.waitForFunction(async () => (await (await fetch("api/v1/articles?limit=300")).json()).total > 150);
    }
    for (const place of PLACES) {
      await page.goto(`${daemon.url}/#/${place}`);
      if (place === "feeds") await page.locator("main li button").first().click();
      if (place === "feeds/rules") await page.locator("main li button").first().click();
      if (place === "trash") await page.locator("main tbody tr").first().waitFor();
      if (place === "log") await page.locator("[role=log] .line").nth(20).waitFor();
      if (place === "groups") await page.locator("main tbody tr").nth(5).waitFor();
      if (place === "settings") await page.locator("main input").first().waitFor();
      if (place) await page.locator("main h1").first().waitFor();
      await picture(page, `hostile-${place.replace("/", "-") || "home"}-${width}`);
      await unharmed(page, place);
    }
    const all = await key(page, "all of it");
    await api(page, "POST", "/actions", { act: "start", keys: [all] });
    await api(page, "POST", `/torrents/${all}/peers`, { peers: [`127.0.0.1:${peer.address().port}`] });
    await page.goto(`${daemon.url}/#/t/${all}`);
    const tabs = page.getByRole("tablist").last().getByRole("tab");
    await tabs.first().waitFor();
    for (let at = 0; at < await tabs.count(); at += 1) {
      await tabs.nth(at).click();
      if (at === 1) await page.getByRole("tabpanel").locator("[data-at='3']").waitFor();
      if (at === 2) await page.getByRole("tabpanel").getByText("<img", { exact: false }).first().waitFor();
      if (at === 3) await page.getByRole("tabpanel").getByText("onerror", { exact: false }).first().waitFor();
      await picture(page, `hostile-tab${at}-${width}`);
      await unharmed(page, `tab ${at}`);
    }
  });

  test(`while adding, changing and removing, ${width} px`, async () => {
    const page = await world.page({ width, height: 760, theme, language });
    await world.enter(page, daemon);
    const data = madeUp(SHAPES[1], hostile.slice(0, 80).map((name, at) => [[`new ${at}`, name.replace(/\//g, "_").slice(0, 200)], 999]), {
      comment: SHAPES[0], "created by": SHAPES[4], announce: SHAPES[0], "creation date": 1_700_000_000 + width,
    });
    await page.evaluate(([text, links]) => {
      const dropped = new DataTransfer();
      dropped.items.add(new File([Uint8Array.from(atob(text), (one) => one.charCodeAt(0))], `<img src=x onerror="window.__x=1">.torrent`));
      dropped.items.add(new File(["nothing"], `${"<script>window.__x=1</script>".repeat(9)}.torrent`));
      document.dispatchEvent(new DragEvent("drop", { dataTransfer: dropped, bubbles: true, cancelable: true }));
      const pasted = new DataTransfer();
      pasted.setData("text/plain", links);
      document.querySelector("dialog textarea")?.dispatchEvent(new ClipboardEvent("paste", { clipboardData: pasted, bubbles: true }));
    }, [data.toString("base64"), ""]);
    const dialog = page.getByRole("dialog");
    await dialog.getByRole("listitem").nth(1).waitFor();
    const field = dialog.getByRole("textbox").first();
    await field.fill(SHAPES.slice(0, 8).map((shape, at) => `magnet:?xt=urn:btih:${String(at).repeat(40)}&dn=${encodeURIComponent(shape)}&tr=${encodeURIComponent(shape)}`).join("\n") + `\n${SHAPES[1]}`);
    await field.press("Enter");
    await dialog.getByRole("listitem").nth(8).waitFor();
    await dialog.getByRole("listitem").first().locator(".title").click();
    await dialog.getByRole("listitem").first().getByRole("checkbox").first().waitFor();
    await dialog.locator("summary").first().click();
    await picture(page, `hostile-add-${width}`);
    await unharmed(page, "add");
    await page.keyboard.press("Escape");
    await dialog.waitFor({ state: "detached" });
    await page.locator("#list").focus();
    await page.keyboard.press("Control+a");
    await page.getByRole("toolbar").waitFor();
    await page.keyboard.press("Delete");
    await dialog.waitFor();
    await unharmed(page, "removing");
    await page.keyboard.press("Escape");
  });
}
