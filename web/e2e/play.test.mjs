/** Somebody watches: as it is, repacked for the browser, while it downloads, with subtitles, episode after episode. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { api, picture, sticksOut, World } from "./world.mjs";

const world = new World();
let daemon, page;

/** A film of 60 seconds with sound in AC-3 and subtitles inside, at some 50 KB/s. */
const FILM = 'film(Shape(seconds=60.0, container="matroska", cues_first=True, bit_rate=400_000, fps=25, size=(320, 192), sounds=(Sound("ac3", "eng", "Original"), Sound("aac", "ger")), words=(Words("subrip", "eng"), Words("ass", "ger"))), "Film.mkv")';

before(async () => {
  daemon = await world.daemon();
  page = await world.page();
  await world.enter(page, daemon);
});
after(() => world.end());

/** Adds a torrent whose seed runs; its key. */
async function add(name, made, options) {
  const swarm = await world.share(name, await world.media(name, made), options);
  const { added } = await api(page, "POST", "/torrents", { files: [readFileSync(swarm.file).toString("base64")] });
  return added[0].key;
}

const open = async (key, index) => {
  await page.goto(`${daemon.url}/#/play/${key}${index === undefined ? "" : `/${index}`}`);
  await page.locator("video").waitFor();
};

const seen = () => page.evaluate(() => {
  const video = document.querySelector("video");
  return { time: video.currentTime, duration: video.duration, direct: /^http/.test(video.src), pictures: video.getVideoPlaybackQuality().totalVideoFrames, error: video.error?.message ?? "" };
});

const past = (seconds) => page.waitForFunction((seconds) => (document.querySelector("video")?.currentTime ?? 0) > seconds, seconds, { timeout: 60_000 });

const jump = async (seconds) => {
  const slider = page.getByRole("slider", { name: /Position/ });
  await slider.evaluate((input, seconds) => {
    input.value = String(seconds);
    input.dispatchEvent(new Event("input", { bubbles: true }));
  }, seconds);
  await past(seconds + 0.5);
};

test("a film with sound that no browser plays runs while it downloads, jumps, and shows its subtitles", async () => {
  const key = await add("Film", FILM, { rate: "120K" });
  await page.goto(`${daemon.url}/#/t/${key}`);
  await page.getByRole("link", { name: "Play" }).click();
  await past(2);
  const row = (await api(page, "GET", `/torrents/${key}`)).row;
  assert.ok(row.progress < 0.95, `it plays while it downloads: ${row.progress}`);
  const found = await seen();
  assert.equal(found.direct, false, "by segments");
  assert.ok(found.pictures > 10);
  assert.ok(Math.abs(found.duration - 60) < 1);

  await jump(45);
  const later = (await api(page, "GET", `/torrents/${key}`)).row;
  await page.getByRole("combobox", { name: "Subtitles" }).selectOption({ index: 1 });
  // One look at both: lines are shown for nine tenths of a second.
  const shown = await page.waitForFunction(() => {
    const video = document.querySelector("video");
    const line = [...(video.textTracks[0]?.activeCues ?? [])].map((cue) => /Line (\d+): Wildb/.exec(cue.text)?.[1]).find(Boolean);
    return line ? { line: Number(line), time: video.currentTime } : null;
  });
  const { line, time } = await shown.jsonValue();
  assert.ok(Math.abs(line - time) < 1.5, `line ${line} at ${time}`);
  await page.getByRole("button", { name: "Later" }).click();
  await page.getByText("0.25 s").waitFor();
  await page.getByRole("button", { name: "Figures" }).click();
  await page.waitForFunction(() => (document.querySelector("video").textTracks[0]?.activeCues ?? []).length > 0);
  // Still, so that it is in the picture.
  await page.evaluate(() => document.querySelector("video").pause());
  await page.waitForTimeout(300);
  await picture(page, "player");
  await page.evaluate(() => document.querySelector("video").play());

  await page.getByRole("combobox", { name: "Sound" }).selectOption({ index: 1 });
  await past((await seen()).time + 1);
  assert.deepEqual(page.wrong, []);
  assert.deepEqual(await page.evaluate(() => window.__policy), []);
  assert.ok(later.progress <= 1);
});

test("a film that the browser plays is played as it is", async () => {
  const key = await add("Direct", 'mp4("first", seconds=30.0, bit_rate=200_000)', { rate: "150K" });
  await open(key);
  await past(2);
  assert.equal((await seen()).direct, true);
  await jump(20);
  assert.deepEqual(await page.evaluate(() => window.__policy), []);
});

test("a season goes on with its next episode, and knows where one was", async () => {
  const key = await add("Season", "season(episodes=3, seconds=8.0)", {});
  await open(key);
  await page.getByRole("heading", { name: /S01E01/ }).waitFor();
  await page.getByRole("combobox", { name: "Subtitles" }).selectOption({ index: 1 });
  await past(1);
  await page.waitForFunction(() => [...(document.querySelector("video").textTracks[0]?.activeCues ?? [])].length > 0);
  assert.equal(await page.locator(".files li").count() >= 3, true);
  await jump(7);
  await page.getByRole("heading", { name: /S01E02/ }).waitFor();
  await past(6);
  await page.goto(`${daemon.url}/#/t/${key}`);
  await page.getByRole("link", { name: "Play" }).click();
  await page.getByRole("heading", { name: /S01E02/ }).waitFor();
  await past(5.5);
});

test("keys do what the keyboard map says", async () => {
  await page.locator("video").waitFor();
  await page.keyboard.press("k");
  await page.waitForFunction(() => document.querySelector("video").paused);
  await page.keyboard.press("m");
  assert.equal(await page.evaluate(() => document.querySelector("video").muted), true);
  await page.keyboard.press(">");
  await page.waitForFunction(() => document.querySelector("video").playbackRate === 1.25);
  const time = (await seen()).time;
  await page.keyboard.press("ArrowLeft");
  await page.waitForFunction((time) => document.querySelector("video").currentTime < time, time);
});

test("subtitles of one's own are shown, and what is hostile in them is text", async () => {
  await page.locator("input[type=file]").setInputFiles({
    name: "own.srt", mimeType: "text/plain",
    buffer: Buffer.from("1\n00:00:00,000 --> 00:00:59,000\n<img src=x onerror=alert(1)><b>gr\u00fcn</b> & 1 < 2\n", "latin1"),
  });
  await page.waitForFunction(() => [...(document.querySelector("video").textTracks[0]?.activeCues ?? [])].some((cue) => cue.text === "<b>grün</b> &amp; 1 &lt; 2"));
  assert.deepEqual(await page.evaluate(() => window.__policy), []);
});

test("pictures that this browser does not show are made anew when one says so", async () => {
  const key = await add("Old", 'film(Shape(seconds=10.0, container="avi", codec="mpeg4", sounds=(Sound("mp3"),)))', {});
  await open(key);
  await page.getByRole("button", { name: "Make them anew and play" }).click();
  await past(2);
  assert.equal((await seen()).direct, false);
});

test("what was watched to its end goes away, where that was wished", async () => {
  const key = await add("Gone", 'mp4("first", seconds=6.0)', {});
  await open(key);
  await past(1);
  await page.getByRole("checkbox", { name: "Delete it after watching" }).check();
  await page.locator("#list").waitFor();
  await page.getByText("It was watched to its end and is removed.").waitFor();
  await assert.rejects(api(page, "GET", `/torrents/${key}`), /404/);
});

test("what is only played is here for now, and is kept with one button", async () => {
  const swarm = await world.share("Now", await world.media("Now", 'mp4("first", seconds=6.0)'), {});
  const { key } = await api(page, "POST", "/plays", { torrent: readFileSync(swarm.file).toString("base64") });
  assert.equal((await api(page, "GET", `/torrents/${key}`)).row.cache, "stream");
  await open(key);
  await past(1);
  await page.getByRole("button", { name: "Keep it" }).click();
  await page.getByText("It is a download of yours now, and stays.").waitFor();
  await page.getByRole("button", { name: "Keep it" }).waitFor({ state: "detached" });
  assert.equal((await api(page, "GET", `/torrents/${key}`)).row.cache, "");
});

test("it fits a phone, in German and in the dark too", async () => {
  const key = (await api(page, "GET", "/torrents")).torrents?.[0]?.key;
  const phone = await world.page({ width: 390, height: 800, language: "de-DE", theme: "dark", touch: true });
  await world.enter(phone, daemon);
  await phone.goto(`${daemon.url}/#/play/${key}`);
  await phone.locator("video").waitFor();
  await phone.waitForFunction(() => document.querySelector("video").currentTime > 1);
  assert.deepEqual(await sticksOut(phone), []);
  await picture(phone, "player-phone");
});

test("without PyAV what the browser plays is played, and of the rest one is told how to get it", async () => {
  const bare = await world.daemon({ name: "bare", without: "av" });
  const other = await world.page();
  await world.enter(other, bare);
  [daemon, page] = [bare, other];
  const direct = await add("Bare direct", 'mp4("first", seconds=10.0)', {});
  await open(direct);
  await past(1);
  await page.getByText("pip install 'wildbach[media]'").waitFor();
  const film = await add("Bare film", 'film(Shape(seconds=5.0, container="avi", codec="mpeg4"))', {});
  await open(film);
  await page.getByRole("alert").getByText("pip install 'wildbach[media]'").waitFor();
});
