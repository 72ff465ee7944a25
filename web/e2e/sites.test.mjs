/**
 * Sites in Chromium: two daemons that meet on loopback, pages that use all their own files, and foreign pages that try everything
 * a page can do with an address that it does not own.
 */

import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { createServer, request } from "node:http";
import { dirname, join } from "node:path";
import { after, before, test } from "node:test";
import { PATIENCE, picture, sticksOut, World } from "./world.mjs";

const world = new World();
let hub, author, reader, foreign, blog, other, unknown;

/** A daemon with a DHT of which `peer` (a port) is the other node, and the port peers call it at. */
async function daemon(name, peer) {
  const made = await world.daemon({ name, settings: ["dht.enabled=true", `dht.bootstrap=${peer ? `127.0.0.1:${peer}` : ""}`, "media.listen=127.0.0.1:0"] });
  made.port = Number(json(await made.command("status", "--json")).transfer.listening[0].split(":").at(-1));
  return made;
}

function folder(name, files) {
  const root = join(world.folder, "content", name);
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  return root;
}

const PNG = Buffer.from("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==", "base64");
const page = (title) => `<!doctype html><meta charset=utf-8><title>${title}</title><link rel=stylesheet href=style.css>
<h1>${title}</h1><img id=picture src=img/x.png><iframe id=frame src=docs/></iframe><a href=docs/>docs</a>
<script>window.inline = 1</script><script type=module src=js/main.mjs></script>`;
const SITE = (title) => ({
  "index.html": page(title), "style.css": "h1{color:rgb(1,2,3)}", "img/x.png": PNG, "data.json": '{"a":1}', "docs/index.html": "<title>docs</title>docs",
  "js/main.mjs": `import { two } from "./two.mjs"; const data = await (await fetch("/data.json")).json();
    const worker = new Worker("/js/worker.js"); worker.onmessage = (event) => { window.done = [two, data.a, event.data]; }; worker.postMessage(20);`,
  "js/two.mjs": "export const two = 2;", "js/worker.js": "onmessage = (event) => postMessage(event.data + 2);", "404.html": "<title>mine</title>not here",
  ".git/config": "secret", "sw.js": "self.onfetch = () => {};",
});

const json = (text) => JSON.parse(text.trim().split("\n").at(-1));
const lines = (text) => text.trim().split("\n").filter(Boolean).map((line) => JSON.parse(line));
const at = (key) => `http://${key}.localhost:${new URL(blog.url).port}`;

async function publish(daemon, name, files) {
  const done = json(await daemon.command("site", "publish", folder(name, files), "--key", name, "--json"));
  assert.equal(done.state, "done", JSON.stringify(done));
  return done.result;
}

const known = async (daemon) => lines(await daemon.command("site", "list", "--json")).map((site) => site.key);

before(async () => {
  // A node asks others and not itself, so what one reads lies at a third.
  hub = await daemon("hub", 0);
  author = await daemon("author", hub.port);
  reader = await daemon("reader", hub.port);
  blog = await publish(author, "blog", SITE("one"));
  other = await publish(author, "other", SITE("other"));
  unknown = await publish(author, "unknown", SITE("unknown"));
  const opened = json(await reader.command("site", "open", `${blog.link}&x.pe=127.0.0.1:${author.port}`, "--json"));
  assert.equal(opened.key, blog.key);
  blog.url = opened.url;
  foreign = createServer((asked, answer) => {
    answer.writeHead(200, { "Content-Type": "text/html" });
    answer.end("<!doctype html><meta charset=utf-8><title>foreign</title><body></body>");
  });
  await new Promise((resolve) => foreign.listen(0, "127.0.0.1", resolve));
  foreign.url = `http://127.0.0.1:${foreign.address().port}/`;
}, { timeout: 4 * PATIENCE });
after(async () => {
  foreign?.closeAllConnections();
  foreign?.close();
  await world.end();
});

/** Opens a page of a site once it is there: our own page says how far it is and comes again by itself. */
async function come(tab, url, title) {
  await tab.goto(url);
  await tab.waitForFunction((title) => document.title === title, title, { timeout: PATIENCE });
}

test("a site opens by its key on another machine, and its own files work", async () => {
  const tab = await world.page();
  await come(tab, blog.url, "one");
  await tab.waitForFunction(() => window.done);
  assert.deepEqual(await tab.evaluate(() => window.done), [2, 1, 22]);
  assert.equal(await tab.evaluate(() => window.inline), 1);
  assert.equal(await tab.evaluate(() => getComputedStyle(document.querySelector("h1")).color), "rgb(1, 2, 3)");
  assert.equal(await tab.evaluate(() => document.querySelector("#picture").naturalWidth), 1);
  assert.equal(await tab.evaluate(() => document.querySelector("#frame").contentDocument.title), "docs");
  assert.deepEqual(await tab.evaluate(() => window.__policy), []);
  assert.deepEqual(tab.wrong, []);
  await tab.click("a");
  await tab.waitForURL((url) => url.pathname === "/docs/");
  await tab.goto(`${at(blog.key)}/docs`);
  assert.equal(new URL(tab.url()).pathname, "/docs/");
  assert.equal((await tab.goto(`${at(blog.key)}/nothing`)).status(), 404);
  assert.equal(await tab.title(), "mine");
  for (const path of ["/.git/config", "/%2e%2e/%2e%2e/etc/passwd", "/..%2f..%2fetc/passwd", "/img%5cx.png"]) {
    const answer = await tab.goto(at(blog.key) + path);
    assert.equal(answer.status(), 404, path);
  }
  await tab.goto(blog.url);
  const part = await tab.evaluate(async () => {
    const answer = await fetch("/style.css", { headers: { Range: "bytes=0-1" } });
    return [answer.status, await answer.text()];
  });
  assert.deepEqual(part, [206, "h1"]);
  await tab.context().close();
});

test("a key that was never opened is asked about first, and fetched after a yes", async () => {
  const tab = await world.page();
  await tab.goto(`${at(other.key)}/docs/`);
  assert.equal(await tab.locator("button").isVisible(), false, "a click that was meant for another page finds no button");
  assert.match(await tab.title(), /Fetch this site/);
  assert.ok(!(await known(reader)).includes(other.key));
  await picture(tab, "site-question");
  await tab.locator("button").click();
  // On loopback nobody is found by hearsay.
  await reader.command("site", "open", `${other.link}&x.pe=127.0.0.1:${author.port}`, "--json");
  await tab.waitForFunction(() => document.title === "docs", null, { timeout: PATIENCE });
  assert.equal(new URL(tab.url()).pathname, "/docs/");
  assert.ok((await known(reader)).includes(other.key));
  await tab.context().close();
});

/** Everything a page can do with an address; runs in the foreign page, and says what it could see. */
const tries = async ([url, wsUrl]) => {
  const seen = {};
  const wait = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));
  const element = (name, tag, set) => new Promise((resolve) => {
    const made = document.createElement(tag);
    const end = (what) => resolve((seen[name] ??= what));
    made.onload = () => end("load");
    made.onerror = () => end("error");
    setTimeout(() => end("nothing"), 3000);
    set(made);
    document.body.append(made);
  });
  await Promise.all([
    element("img", "img", (made) => (made.src = `${url}/img/x.png`)),
    element("script", "script", (made) => (made.src = `${url}/js/worker.js`)),
    element("module", "script", (made) => { made.type = "module"; made.src = `${url}/js/two.mjs`; }),
    element("link", "link", (made) => { made.rel = "stylesheet"; made.href = `${url}/style.css`; }),
    element("prefetch", "link", (made) => { made.rel = "prefetch"; made.href = `${url}/`; }),
    element("preload", "link", (made) => { made.rel = "preload"; made.as = "image"; made.href = `${url}/img/x.png`; }),
    element("iframe", "iframe", (made) => (made.src = `${url}/`)),
    element("object", "object", (made) => (made.data = `${url}/`)),
    element("embed", "embed", (made) => (made.src = `${url}/img/x.png`)),
    element("video", "video", (made) => (made.src = `${url}/img/x.png`)),
    element("audio", "audio", (made) => (made.src = `${url}/img/x.png`)),
    element("import", "style", (made) => (made.textContent = `@import url("${url}/style.css");`)),
    element("background", "div", (made) => (made.style.background = `url("${url}/img/x.png")`)),
  ]);
  seen.frames = frames.length;
  seen.ruled = [...document.styleSheets].map((sheet) => {
    try {
      return sheet.cssRules.length;
    } catch (error) {
      return error.name;
    }
  });
  for (const [name, path, options] of [
    ["cors", "/data.json", {}], ["nocors", "/data.json", { mode: "no-cors" }], ["head", "/", { method: "HEAD", mode: "no-cors" }],
    ["post", "/.wildbach/yes", { method: "POST", body: "ticket=x", mode: "no-cors" }], ["credentials", "/", { credentials: "include", mode: "no-cors" }],
    ["redirected", "/docs", { mode: "no-cors", redirect: "manual" }], ["keepalive", "/", { keepalive: true, mode: "no-cors" }],
  ]) {
    seen[name] = await fetch(url + path, options).then((answer) => `${answer.type} ${answer.status}`, (error) => error.name);
  }
  seen.beacon = navigator.sendBeacon(`${url}/.wildbach/yes`, "ticket=x");
  seen.websocket = await new Promise((resolve) => {
    const socket = new WebSocket(`${wsUrl}/`);
    socket.onopen = () => resolve("open");
    socket.onclose = (event) => resolve(`closed ${event.code}`);
  });
  seen.events = await new Promise((resolve) => {
    const source = new EventSource(`${url}/data.json`);
    source.onopen = () => resolve("open");
    source.onerror = () => resolve(`error ${source.readyState}`);
  });
  seen.worker = await navigator.serviceWorker.register(`${url}/sw.js`).then(() => "registered", (error) => error.name);
  seen.plain = await new Promise((resolve) => {
    try {
      new Worker(`${url}/js/worker.js`).onerror = () => resolve("error");
    } catch (error) {
      resolve(error.name);
    }
  });
  const form = document.createElement("form");
  const frame = document.createElement("iframe");
  frame.name = `f${Math.random()}`;
  Object.assign(form, { method: "post", action: `${url}/.wildbach/yes`, target: frame.name });
  document.body.append(frame, form);
  form.submit();
  await wait(1000);
  seen.inForm = frame.contentWindow.length;
  try {
    seen.formReads = frame.contentDocument?.title ?? "closed";
  } catch (error) {
    seen.formReads = error.name;
  }
  const rest = performance.getEntriesByType("resource").filter((entry) => entry.name.startsWith(url));
  seen.timing = [...new Set(rest.map((entry) => `${entry.transferSize} ${entry.decodedBodySize} ${entry.responseStatus} ${entry.redirectStart}`))].sort();
  return seen;
};

const popups = async ([url]) => {
  const wait = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));
  const opened = window.open(`${url}/`);
  await wait(2500);
  const seen = { closed: opened.closed };
  try {
    seen.title = opened.document.title;
  } catch (error) {
    seen.title = error.name;
  }
  try {
    seen.length = opened.length;
  } catch (error) {
    seen.length = error.name;
  }
  const form = document.createElement("form");
  Object.assign(form, { method: "post", action: `${url}/.wildbach/yes`, target: "_blank" });
  document.body.append(form);
  form.submit();
  await wait(1000);
  return seen;
};

test("what a foreign page tries fetches nothing, and cannot tell a known key from an unknown one", async () => {
  const before = await known(reader);
  assert.ok(before.includes(blog.key) && !before.includes(unknown.key));
  const seen = [];
  for (const key of [blog.key, unknown.key]) {
    const tab = await world.page();
    await tab.goto(foreign.url);
    seen.push(await tab.evaluate(tries, [at(key), at(key).replace("http", "ws")]));
    assert.equal(tab.wrong.filter((line) => line.startsWith("error")).length, 0);
    await tab.context().close();
  }
  assert.deepEqual(seen[0], seen[1]);
  assert.deepEqual(
    [seen[0].img, seen[0].script, seen[0].link, seen[0].video, seen[0].cors, seen[0].nocors, seen[0].websocket, seen[0].worker],
    ["error", "error", "error", "error", "TypeError", "TypeError", "closed 1006", "SecurityError"], JSON.stringify(seen[0]));
  const opened = [];
  for (const key of [blog.key, unknown.key]) {
    const tab = await world.page();
    await tab.goto(foreign.url);
    await tab.evaluate(() => (document.body.innerHTML = "<button>go</button>"));
    opened.push(await tab.evaluate(popups, [at(key)]));
    await tab.context().close();
  }
  assert.deepEqual(opened[0], opened[1]);
  assert.equal(opened[0].closed, true, "the page that opened it has lost it");
  assert.deepEqual(await known(reader), before);
  const torrents = lines(await reader.command("ls", "--json"));
  assert.ok(torrents.every((torrent) => ![torrent.infohash_v2].includes(unknown.version)));
  assert.equal(torrents.filter((torrent) => torrent.name === "unknown").length, 0);
});

test("a site reaches no other site, no API, no UI and no media host, with and without its policy", async () => {
  for (const bypass of [false, true]) {
    const tab = await world.page({ bypass });
    await come(tab, blog.url, "one");
    const reached = await tab.evaluate(async ([targets]) => {
      const out = {};
      for (const [name, url] of Object.entries(targets)) {
        out[name] = await fetch(url, { credentials: "include" }).then(async (answer) => `${answer.status} ${(await answer.text()).slice(0, 20)}`, (error) => error.name);
        out[`${name} blind`] = await fetch(url, { mode: "no-cors" }).then((answer) => answer.type, (error) => error.name);
        out[`${name} frame`] = await new Promise((resolve) => {
          const frame = document.createElement("iframe");
          frame.onload = () => {
            try {
              resolve(frame.contentDocument === null ? "closed" : `read ${frame.contentDocument.title}`);
            } catch (error) {
              resolve(error.name);
            }
          };
          setTimeout(() => resolve("nothing"), 2000);
          frame.src = url;
          document.body.append(frame);
        });
      }
      return out;
    }, [{
      other: `${at(other.key)}/data.json`, unknown: `${at(unknown.key)}/data.json`, api: `${reader.url}/api/v1/torrents`, ui: `${reader.url}/`,
      media: `http://media.localhost:${new URL(blog.url).port}/`, plain: `http://127.0.0.1:${new URL(blog.url).port}/${other.key}/data.json`,
    }]);
    for (const [name, got] of Object.entries(reached)) {
      if (name.startsWith("api blind") || name.startsWith("ui blind") || name.startsWith("media blind")) continue;
      assert.ok(["TypeError", "closed", "nothing", "SecurityError"].includes(got), `${bypass} ${name}: ${got}`);
    }
    assert.ok(!Object.values(reached).some((got) => got.startsWith("200") || got.startsWith("read")), JSON.stringify(reached));
    if (!bypass) assert.ok((await tab.evaluate(() => window.__policy)).length > 0);
    await tab.evaluate(() => {
      document.cookie = "mine=1; path=/";
      document.cookie = "wide=1; path=/; domain=localhost";
      document.cookie = "wider=1; path=/; domain=.localhost";
      localStorage.setItem("mine", "1");
    });
    await tab.goto(`${at(other.key)}/docs/`);
    assert.equal(await tab.evaluate(() => document.cookie), "", "cookies of one site are not those of another");
    assert.equal(await tab.evaluate(() => localStorage.length), 0);
    await tab.context().close();
  }
  assert.ok(!(await known(reader)).includes(unknown.key));
});

test("a service worker has its own site and nothing else", async () => {
  const tab = await world.page();
  await come(tab, blog.url, "one");
  assert.equal(await tab.evaluate(async () => (await navigator.serviceWorker.register("/sw.js")).scope), `${at(blog.key)}/`);
  await tab.evaluate(() => navigator.serviceWorker.ready);
  await tab.goto(`${at(other.key)}/docs/`);
  assert.equal(await tab.evaluate(async () => (await navigator.serviceWorker.getRegistrations()).length), 0);
  await tab.context().close();
});

test("names that lead here from elsewhere get nothing", async () => {
  const port = new URL(blog.url).port;
  const ask = (host, path = "/") => new Promise((resolve, reject) => {
    const asked = request({ host: "127.0.0.1", port, path, headers: { Host: host, "Sec-Fetch-Site": "none", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document" } }, (answer) => {
      let text = "";
      answer.on("data", (data) => (text += data));
      answer.on("end", () => resolve({ status: answer.statusCode, text, headers: answer.headers }));
    });
    asked.on("error", reject);
    asked.end();
  });
  for (const host of ["evil.example", `${blog.key}.evil.example`, `x.${blog.key}.localhost`, "localhost"]) {
    const answer = await ask(`${host}:${port}`);
    assert.equal(answer.status, 421, `${host}: ${answer.text}`);
    assert.ok(!answer.text.includes("<h1>"));
  }
  const led = await ask(`127.0.0.1:${port}`, `/${blog.key}/docs/`);
  assert.equal(led.status, 308);
  assert.equal(led.headers.location, `${at(blog.key)}/docs/`);
});

test("a new version comes while the site is open, and the old one has an address of its own", async () => {
  const tab = await world.page();
  await come(tab, blog.url, "one");
  const changed = await publish(author, "blog", SITE("two"));
  assert.deepEqual(changed.changed, ["index.html"]);
  assert.ok(changed.fetch < 2000, `${changed.fetch}`);
  await reader.command("site", "open", blog.link, "--json");
  for (let round = 0; (await tab.title()) !== "two" && round < 60; round += 1) {
    await new Promise((resolve) => setTimeout(resolve, 500));
    await tab.reload();
  }
  assert.equal(await tab.title(), "two");
  await tab.goto(`http://v-${blog.version}.localhost:${new URL(blog.url).port}/`);
  assert.equal(await tab.title(), "one");
  await tab.goto(`http://v-${unknown.version}.localhost:${new URL(blog.url).port}/`);
  assert.match(await tab.title(), /not known here/);
  await tab.context().close();
});

test("sites are opened, steered and published by mouse", async () => {
  for (const [language, words] of [["en-GB", ["Publish", "What would change?", "Versions", "Sites"]], ["de-DE", ["Veröffentlichen", "Was würde sich ändern?", "Fassungen", "Seiten"]]]) {
    const tab = await world.page({ language });
    await world.enter(tab, author);
    await tab.goto(`${author.url}/#/sites`);
    await tab.getByRole("heading", { name: words[3], exact: true }).waitFor();
    await tab.getByRole("link", { name: "blog" }).waitFor();
    assert.deepEqual(await sticksOut(tab), []);
    if (language === "en-GB") await picture(tab, "sites");
    await tab.getByRole("button", { name: words[0], exact: true }).click();
    const dialog = tab.getByRole("dialog");
    await dialog.locator("input").first().fill(folder(`page-${language}`, SITE("page")));
    await dialog.getByText(words[1]).click();
    await dialog.getByText("js/main.mjs").waitFor();
    assert.equal(lines(await author.command("site", "list", "--json")).filter((site) => site.own === `page-${language}`).length, 0);
    await dialog.locator("label", { hasText: language === "de-DE" ? "Geheimer Schlüssel" : "Secret key" }).locator("input").fill(`page-${language}`);
    await dialog.getByRole("button", { name: words[0], exact: true }).click();
    await dialog.locator("input[readonly]").waitFor();
    assert.match(await dialog.locator("input[readonly]").inputValue(), /^magnet:\?xs=urn:btpk:/);
    assert.deepEqual(await sticksOut(tab), []);
    await tab.keyboard.press("Escape");
    await tab.getByRole("button", { name: `${words[2]}: blog` }).click();
    await tab.getByRole("dialog").locator("li").first().waitFor();
    assert.deepEqual(await sticksOut(tab), []);
    assert.deepEqual(tab.wrong, []);
    await tab.context().close();
  }
  const small = await world.page({ width: 380, height: 700 });
  await world.enter(small, author);
  await small.goto(`${author.url}/#/sites`);
  await small.getByRole("link", { name: "blog" }).waitFor();
  assert.deepEqual(await sticksOut(small), []);
  await small.context().close();
});

test("the author leaves: who reads it gives it to others", async () => {
  await author.stop();
  const third = await daemon("third", hub.port);
  const opened = json(await third.command("site", "open", `${blog.link}&x.pe=127.0.0.1:${reader.port}`, "--json"));
  const tab = await world.page();
  await come(tab, opened.url, "two");
  await tab.waitForFunction(() => window.done);
  const missing = json(await third.command("site", "open", unknown.key, "--json"));
  await tab.goto(missing.url);
  assert.equal((await tab.reload()).status(), 503);
  await picture(tab, "site-waiting");
  await tab.context().close();
});
