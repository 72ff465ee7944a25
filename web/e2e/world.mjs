/**
 * What the browser tests play with: real daemons, trackers and seeds of the `wildbach` command, each a process of its own
 * on loopback with a folder of its own, and Chromium. Everything that was begun ends with the test.
 *
 * WILDBACH: the command. CHROMIUM: the browser.
 */

import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { createInterface } from "node:readline";
import { chromium } from "playwright-core";

const WILDBACH = process.env.WILDBACH ?? "wildbach";
const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const CHROMIUM = process.env.CHROMIUM ?? "/usr/bin/chromium";
const ARGS = [
  "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--autoplay-policy=no-user-gesture-required", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
];
/** A machine with two busy cores needs its time; what never comes is told all the same. */
export const PATIENCE = Number(process.env.PATIENCE ?? 60_000);

/** Nothing leaves loopback. */
const QUIET = [
  "connections.listen=127.0.0.1:0", "dht.enabled=false", "discovery.lsd=false", "discovery.upnp=false",
  "discovery.natpmp=false", "trackers.dns_preferences=false", "rates.limit_local=true", "disk.workers=threads",
].flatMap((word) => ["--set", word]);

export class World {
  constructor() {
    this.folder = mkdtempSync(join(tmpdir(), "wildbach-browser-"));
    // Nobody's own settings count here.
    writeFileSync(join(this.folder, "config.toml"), "");
    this.processes = new Set();
    this.browser = null;
    /** Environment variables of what is started next. */
    this.more = {};
  }

  get #environment() {
    return { ...process.env, ...this.more, WILDBACH_STATE: join(this.folder, "state"), WILDBACH_CONFIG: join(this.folder, "config.toml"), NO_COLOR: "1" };
  }

  /** Start a command; resolves with it and the first line of its output that `looked` finds something in. */
  start(args, looked) {
    const child = spawn(WILDBACH, args, {
      cwd: this.folder,
      env: this.#environment,
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.processes.add(child);
    child.on("exit", () => this.processes.delete(child));
    const said = [];
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`${args.join(" ")} said nothing in time:\n${said.join("\n")}`)), PATIENCE);
      const hear = (line) => {
        said.push(line);
        const found = looked(line);
        if (found) {
          clearTimeout(timer);
          resolve({ child, found, said });
        }
      };
      createInterface({ input: child.stdout }).on("line", hear);
      createInterface({ input: child.stderr }).on("line", hear);
      child.on("exit", (code) => {
        clearTimeout(timer);
        reject(new Error(`${args.join(" ")} ended with ${code}:\n${said.join("\n")}`));
      });
    });
  }

  /** Run a command to its end; what it said. */
  run(...args) {
    return new Promise((resolve, reject) => {
      const child = spawn(WILDBACH, args, {
        cwd: this.folder,
        env: this.#environment,
        stdio: ["ignore", "pipe", "pipe"],
      });
      let out = "";
      child.stdout.on("data", (data) => (out += data));
      child.stderr.on("data", (data) => (out += data));
      child.on("exit", (code) => (code === 0 ? resolve(out) : reject(new Error(`${args.join(" ")} ended with ${code}:\n${out}`))));
    });
  }

  /**
   * A daemon: `url`, `link` (lets one in, once), `downloads`, `stop()`, `kill()` and `again()` on the same state and port.
   * `fixed`: a flag says where downloads go, so nobody else may. `without`: a package that it does not find.
   */
  async daemon({ name = "daemon", settings = [], port = 0, fixed = true, without = "" } = {}) {
    const downloads = join(this.folder, `${name}-downloads`);
    const state = join(this.folder, `${name}-state`);
    mkdirSync(downloads, { recursive: true });
    const at = (to) => [
      "serve", "--listen", `127.0.0.1:${to}`, "--state", state, ...(fixed ? ["--downloads", downloads] : []), ...QUIET,
      "--set", `downloads.allowed=${this.folder}`, ...settings.flatMap((word) => ["--set", word]),
    ];
    if (without) this.more = { PYTHONPATH: this.#hiding(without) };
    const begin = async (to) => {
      const { child, found } = await this.start(at(to), (line) => /listens at (http\S+)/.exec(line)?.[1]);
      return { child, url: found };
    };
    let { child, url } = await begin(port);
    this.more = {};
    const world = this;
    const ended = (process) => new Promise((resolve) => (process.exitCode !== null || process.signalCode !== null ? resolve() : process.on("exit", resolve)));
    const daemon = {
      name, downloads, state, url,
      async link() {
        return (await world.run("open", "--print", "--state-dir", state)).trim().split(/\s+/).find((word) => word.startsWith("http"));
      },
      command: (...args) => world.run(...args, "--state-dir", state),
      async stop() {
        child.kill("SIGTERM");
        await ended(child);
      },
      async kill() {
        child.kill("SIGKILL");
        await ended(child);
      },
      async again() {
        ({ child } = await begin(new URL(url).port));
      },
    };
    return daemon;
  }

  /** Files with content that anybody can make again. `tree`: sizes by path. */
  content(name, tree) {
    const folder = join(this.folder, "content", name);
    for (const [path, size] of Object.entries(tree)) {
      const place = join(folder, path);
      mkdirSync(dirname(place), { recursive: true });
      const data = Buffer.alloc(size);
      for (let at = 0; at < size; at += 1) data[at] = (at * 31 + path.length * 7 + (at >> 9)) & 255;
      writeFileSync(place, data);
    }
    return folder;
  }

  /** A folder for PYTHONPATH with which a package seems not to be installed. */
  #hiding(name) {
    const folder = join(this.folder, `without-${name}`);
    mkdirSync(folder, { recursive: true });
    const lines = ["import importlib.util", "_found = importlib.util.find_spec", `importlib.util.find_spec = lambda name, *more: None if name == "${name}" else _found(name, *more)`];
    writeFileSync(join(folder, "sitecustomize.py"), lines.join("\n"));
    return folder;
  }

  /** A folder with films or songs made for it: `made` is an expression of tests/mediafiles.py that gives a path. */
  media(name, made) {
    const folder = join(this.folder, "content", name);
    mkdirSync(folder, { recursive: true });
    const lines = ["import shutil, sys", "from tests.mediafiles import *", `path = ${made}`,
      "shutil.copytree(path, sys.argv[1], dirs_exist_ok=True) if path.is_dir() else shutil.copy(path, sys.argv[1])"];
    return new Promise((resolve, reject) => {
      const child = spawn(join(dirname(WILDBACH), "python"), ["-c", lines.join("\n"), folder], { cwd: ROOT, stdio: ["ignore", "ignore", "pipe"] });
      let said = "";
      child.stderr.on("data", (data) => (said += data));
      child.on("exit", (code) => (code === 0 ? resolve(folder) : reject(new Error(said))));
    });
  }

  /** A torrent with a tracker and a seed: `file`, `magnet`, `name`. */
  swarm(name, tree, options) {
    return this.share(name, this.content(name, tree), options);
  }

  /** The same of a folder that is there. */
  async share(name, content, { rate = "" } = {}) {
    const tracker = await this.start(["tracker", "--listen", "127.0.0.1:0"], (line) => /(http:\/\/127\.0\.0\.1:\d+\/announce)/.exec(line)?.[1]);
    const file = join(this.folder, `${name}.torrent`);
    await this.run("create", content, "--tracker", tracker.found, "-o", file);
    const info = JSON.parse((await this.run("info", file, "--json")).trim().split("\n")[0]);
    await this.start(
      ["seed", file, "--data", join(content, ".."), "--state", join(this.folder, `${name}-seed`), "--listen", "127.0.0.1:0", ...QUIET.slice(2), ...(rate ? ["--limit-up", rate] : [])],
      (line) => /seed|listen|given/i.test(line),
    );
    return { name, file, content, magnet: info.magnet, tracker: tracker.found };
  }

  /** A page of a new browser profile. Errors of its scripts and of its policy are kept in `page.wrong`. `bypass`: its policy does not count. */
  async page({ width = 1280, height = 800, theme = "light", language = "en-GB", touch = false, bypass = false } = {}) {
    this.browser ??= await chromium.launch({ executablePath: CHROMIUM, args: ARGS });
    const context = await this.browser.newContext({
      viewport: { width, height }, colorScheme: theme, locale: language, hasTouch: touch, reducedMotion: "reduce", acceptDownloads: true,
      bypassCSP: bypass,
      permissions: ["clipboard-read", "clipboard-write"],
    });
    context.setDefaultTimeout(PATIENCE);
    const page = await context.newPage();
    page.wrong = [];
    page.on("pageerror", (error) => page.wrong.push(`error: ${error.message}`));
    page.on("console", (message) => {
      // That the daemon said no is told to the user; browsers write it down all the same.
      if (message.type() === "error" && !/Failed to load resource|WebSocket connection/.test(message.text())) page.wrong.push(`console: ${message.text()}`);
    });
    await page.addInitScript(() => {
      window.__policy = [];
      document.addEventListener("securitypolicyviolation", (event) => window.__policy.push(`${event.violatedDirective} ${event.blockedURI}`));
    });
    return page;
  }

  /** In, past the first steps: this machine needs no password. */
  async enter(page, daemon) {
    await page.goto(await daemon.link());
    await page.waitForURL((url) => !url.pathname.includes("/start"));
    await page.evaluate(async () => {
      const answer = await fetch("api/v1/access", { method: "PATCH", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ trust_local: true }) });
      if (!answer.ok) throw new Error(await answer.text());
    });
    await page.goto(daemon.url);
    await page.locator("#list").waitFor();
  }

  async end() {
    await this.browser?.close();
    const left = [...this.processes];
    for (const child of left) child.kill("SIGTERM");
    await Promise.all(left.map((child) => new Promise((resolve) => {
      const timer = setTimeout(() => child.kill("SIGKILL"), 5000);
      child.on("exit", () => {
        clearTimeout(timer);
        resolve();
      });
    })));
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** JSON of the daemon's API by the page's own session: `at` is below `api/v1`. Throws what the daemon said. */
export function api(page, method, at, body) {
  return page.evaluate(async ([method, at, body]) => {
    const answer = await fetch(`api/v1${at}`, body === undefined ? { method } : { method, headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${at}: ${answer.status} ${text}`);
    return text ? JSON.parse(text) : null;
  }, [method, at, body]);
}

/** Numbers, texts, buffers, lists and objects as torrents have them. */
export function bencode(value) {
  if (typeof value === "number") return Buffer.from(`i${value}e`);
  if (typeof value === "string") return bencode(Buffer.from(value));
  if (Buffer.isBuffer(value)) return Buffer.concat([Buffer.from(`${value.length}:`), value]);
  if (Array.isArray(value)) return Buffer.concat([Buffer.from("l"), ...value.map(bencode), Buffer.from("e")]);
  const keys = Object.keys(value).sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  return Buffer.concat([Buffer.from("d"), ...keys.flatMap((key) => [bencode(key), bencode(value[key])]), Buffer.from("e")]);
}

/** A torrent file whose content nobody has. `files`: sizes by path (a list of names), or none for a single file. */
export function madeUp(name, files = null, more = {}) {
  const length = 1 << 20;
  const size = files ? files.reduce((sum, [, bytes]) => sum + bytes, 0) : 5 * length;
  const pieces = Buffer.alloc(20 * Math.ceil(size / length), 7);
  const content = files ? { files: files.map(([path, bytes]) => ({ path, length: bytes })) } : { length: size };
  return bencode({ ...more, info: { name, "piece length": length, pieces, ...content } });
}

/** Elements that stick out of the window to the side, and pages and dialogs that would have to be scrolled to the side. */
export function sticksOut(page) {
  return page.evaluate(() => {
    const found = [];
    const told = (element) => `${element.tagName.toLowerCase()}.${[...element.classList].join(".")} ${(element.textContent ?? "").trim().slice(0, 40)}`;
    const held = (element) => {
      for (let at = element.parentElement; at && at !== document.body; at = at.parentElement) if (getComputedStyle(at).overflowX !== "visible") return true;
      return false;
    };
    for (const element of document.body.querySelectorAll("*")) {
      const box = element.getBoundingClientRect();
      if (!box.width || !box.height || element.closest(".sr")) continue;
      if ((box.right > innerWidth + 1 || box.left < -1) && !held(element)) found.push(told(element));
    }
    for (const element of document.querySelectorAll(".page, dialog .body, aside, .line.narrow, #list .card-row")) {
      if (element.clientWidth && element.scrollWidth > element.clientWidth + 1) found.push(`${element.scrollWidth} px in ${element.clientWidth}: ${told(element)}`);
    }
    return found.slice(0, 10);
  });
}

/** What a screenshot of the docs or of a look at it is called; nothing without the variable. */
export async function picture(page, name) {
  if (process.env.WILDBACH_PICTURES) await page.screenshot({ path: join(process.env.WILDBACH_PICTURES, `${name}.png`) });
}
