/** What goes wrong is said where one looks, and what is old is not shown as if it were so now. */

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { api, madeUp, picture, World } from "./world.mjs";

const world = new World();
const PASSWORD = "a long pass phrase";
let daemon;

before(async () => {
  daemon = await world.daemon({ settings: ["downloads.start=false"] });
  const page = await world.page();
  await world.enter(page, daemon);
  for (const name of ["alpha", "beta", "gamma"]) await api(page, "POST", "/torrents", { files: [madeUp(name).toString("base64")] });
  await page.context().close();
});
after(() => world.end());

const banner = (page) => page.locator(".banner");
const row = (page, name) => page.locator("#list [data-key]", { hasText: name });

/** Between the page and the daemon: `heard(message)` says what the page gets of what the daemon sends; null: nothing. */
async function between(page, heard) {
  const state = { open: null };
  await page.routeWebSocket(/\/push$/, (socket) => {
    state.open = socket;
    const server = socket.connectToServer();
    server.onMessage((message) => {
      const given = heard(message);
      if (typeof given === "string") socket.send(given);
      else if (given) void given.then((text) => socket.send(text));
    });
  });
  return state;
}

const greeting = (change) => (message) => {
  const news = JSON.parse(message);
  if (news.hello) change(news.hello);
  return JSON.stringify(news);
};

test("a daemon that is killed is said to be away, what is shown is dimmed, and all goes on by itself once it is back", async () => {
  const page = await world.page();
  await world.enter(page, daemon);
  await row(page, "alpha").waitFor();
  await daemon.kill();
  await banner(page).getByText("does not answer", { exact: false }).waitFor();
  assert.equal(await banner(page).getAttribute("role"), "alert");
  await picture(page, "away");
  const dimmed = (what) => page.locator(what).first().evaluate((element) => Number(getComputedStyle(element).opacity) < 0.7);
  assert.ok(await dimmed("main") && await dimmed("header .rates"));
  assert.equal(await page.title(), "wildbach");
  assert.equal(await page.locator("#list [data-key]").count(), 3);
  // What is tried meanwhile is said to have failed.
  await row(page, "beta").click();
  await page.locator("#list").focus();
  await page.keyboard.press("s");
  await page.locator(".toast.bad").getByText("does not answer", { exact: false }).waitFor();
  await daemon.again();
  await banner(page).waitFor({ state: "detached" });
  assert.ok(!(await dimmed("main")) && !(await dimmed("header .rates")));
  await page.keyboard.press("s");
  await page.waitForFunction(() => document.querySelector("#list .line.picked:not(.stopped)"));
  await page.keyboard.press("p");
  await page.waitForFunction(() => document.querySelector("#list .line.picked.stopped"));
  assert.deepEqual(page.wrong, []);
});

test("a page that is opened while nobody answers comes by itself", async () => {
  const page = await world.page();
  await world.enter(page, daemon);
  await page.route(/\/api\//, (route) => route.abort());
  await page.reload();
  await page.getByRole("status").getByText("does not answer", { exact: false }).waitFor();
  await page.unroute(/\/api\//);
  await row(page, "alpha").waitFor();
});

test("a session that is ended elsewhere leads to the login, and one that logs in goes on where one was", async () => {
  const here = await world.page();
  await world.enter(here, daemon);
  await api(here, "POST", "/access/password", { user: "admin", password: PASSWORD, current: "" });
  await api(here, "PATCH", "/access", { trust_local: false });
  const page = await world.page();
  await page.goto(`${daemon.url}/#/groups`);
  await page.locator("input[name=password]").fill(PASSWORD);
  await page.keyboard.press("Enter");
  await page.locator("main h1", { hasText: "Categories" }).waitFor();
  const { sessions } = await api(here, "GET", "/access/sessions");
  for (const one of sessions.filter((one) => !one.current)) await api(here, "DELETE", `/access/sessions/${one.id}`);
  await page.locator("input[name=password]").waitFor();
  assert.equal(await page.locator("#list").count(), 0);
  await page.locator("input[name=password]").fill(PASSWORD);
  await page.keyboard.press("Enter");
  await page.locator("main h1", { hasText: "Categories" }).waitFor();
  assert.deepEqual(page.wrong, []);
  await api(here, "PATCH", "/access", { trust_local: true });
});

test("after an update the page asks to be loaded anew", async () => {
  const page = await world.page();
  let version = "";
  const line = await between(page, greeting((hello) => (hello.version = version || hello.version)));
  await world.enter(page, daemon);
  await row(page, "alpha").waitFor();
  assert.equal(await banner(page).count(), 0);
  version = "99.0";
  await line.open.close();
  await banner(page).getByText("was updated", { exact: false }).waitFor();
  await Promise.all([page.waitForEvent("load"), banner(page).getByRole("button").click()]);
  await row(page, "alpha").waitFor();
});

test("a clock that is an hour off is said", async () => {
  const page = await world.page();
  await between(page, greeting((hello) => (hello.now += 3630)));
  await world.enter(page, daemon);
  await banner(page).getByText(/clock .* differ by 1\sh/).waitFor();
});

test("what fails for one of three is said with its name and why, also in its row", async () => {
  const page = await world.page();
  await world.enter(page, daemon);
  await api(page, "POST", "/torrents", { urls: [`magnet:?xt=urn:btih:${"cd".repeat(20)}&dn=Nobody`] });
  await row(page, "Nobody").click();
  for (const name of ["alpha", "beta"]) await row(page, name).click({ modifiers: ["Control"] });
  await row(page, "alpha").click({ button: "right" });
  await page.getByRole("menuitem", { name: "Check the data" }).click();
  const said = page.locator(".toast.bad");
  await said.getByText("1 of 3", { exact: false }).waitFor();
  await said.getByText(/Nobody.*metadata/).waitFor();
  await row(page, "Nobody").locator(".why.bad").getByText("metadata", { exact: false }).waitFor();
  await picture(page, "failed");
  assert.equal(await row(page, "alpha").locator(".why.bad").count(), 0);
});

test("what is too large is said at its card", async () => {
  const page = await world.page();
  await world.enter(page, daemon);
  await page.evaluate(() => {
    const data = new DataTransfer();
    data.items.add(new File([new Uint8Array(300 << 20)], "huge.torrent"));
    document.dispatchEvent(new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true }));
  });
  await page.getByRole("dialog").getByRole("listitem").getByText("too large", { exact: false }).waitFor();
});

test("where there is no place for it, that is said at its card, and it can be tried again", async () => {
  const page = await world.page();
  await world.enter(page, daemon);
  const file = join(world.folder, "a-file");
  writeFileSync(file, "");
  await page.evaluate((bytes) => {
    const data = new DataTransfer();
    data.items.add(new File([Uint8Array.from(atob(bytes), (one) => one.charCodeAt(0))], "delta.torrent"));
    document.dispatchEvent(new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true }));
  }, madeUp("delta").toString("base64"));
  const dialog = page.getByRole("dialog");
  const card = dialog.getByRole("listitem");
  await dialog.locator("[type=submit]:enabled").waitFor();
  await page.route(/\/api\/v1\/torrents$/, (route) => route.fulfill({
    status: 507, contentType: "application/problem+json", body: JSON.stringify({ type: "about:blank", title: "Insufficient Storage", status: 507, code: "no_space", detail: "5 MiB are wanted and 1 MiB is free" }),
  }));
  await dialog.locator("[type=submit]").click();
  await card.getByText("5 MiB are wanted and 1 MiB is free", { exact: false }).waitFor();
  await picture(page, "no-space");
  await page.unroute(/\/api\/v1\/torrents$/);
  await card.getByRole("button", { name: "again", exact: false }).click();
  await dialog.locator("[type=submit]:enabled").click();
  await dialog.waitFor({ state: "detached" });
  await row(page, "delta").waitFor();
});

test("a guest looks and is offered nothing that changes anything", async () => {
  const here = await world.page();
  await world.enter(here, daemon);
  await api(here, "PATCH", "/access", { trust_local: false, guest: true });
  const page = await world.page();
  await page.goto(daemon.url);
  await banner(page).getByText("You are a guest", { exact: false }).waitFor();
  await row(page, "alpha").click();
  assert.equal(await page.getByRole("button", { name: /^Add|Start|Stop|Remove/ }).count(), 0);
  await page.keyboard.press("Delete");
  await page.keyboard.press("s");
  await page.keyboard.press("a");
  await page.locator("#list [data-key]").first().click({ button: "right" });
  const items = await page.getByRole("menuitem").or(page.getByRole("menuitemcheckbox")).allTextContents();
  assert.ok(items.length > 0 && items.every((item) => /Copy|Details|Save torrent/.test(item)), items.join());
  await page.keyboard.press("Escape");
  await row(page, "alpha").dblclick();
  for (const tab of ["Files", "Peers", "Trackers", "Speed"]) {
    await page.getByRole("tab", { name: tab }).click();
    await page.getByRole("tabpanel", { name: tab }).waitFor();
    assert.equal(await page.locator(".detail").getByRole("button", { name: /Start|Stop|Remove|Add|Ask/ }).count(), 0, tab);
    assert.equal(await page.locator(".detail input[type=checkbox]:enabled").count(), 0, tab);
  }
  assert.equal(await page.getByRole("dialog").count(), 0);
  assert.equal(await page.locator(".toast.bad").count(), 0);
  for (const place of ["settings", "access", "log"]) {
    await page.goto(`${daemon.url}/#/${place}`);
    // They are for others; there is the list.
    await row(page, "alpha").waitFor();
    assert.equal(await page.locator("main h1").count(), 0, place);
  }
  assert.deepEqual(page.wrong, []);
  await api(here, "PATCH", "/access", { trust_local: true, guest: false });
});

test("a line that lags shows what comes late, and one that falls silent counts as dead", async () => {
  const page = await world.page();
  let how = "late";
  await between(page, (message) => (how === "late" ? new Promise((resolve) => setTimeout(resolve, 1500, message)) : how === "silent" ? null : message));
  await world.enter(page, daemon);
  await row(page, "alpha").click();
  await page.locator("#list").focus();
  await page.keyboard.press("s");
  await page.waitForFunction(() => document.querySelector("#list .line.picked:not(.stopped)"));
  await page.keyboard.press("p");
  await page.waitForFunction(() => document.querySelector("#list .line.picked.stopped"));
  assert.equal(await banner(page).count(), 0);
  how = "silent";
  await banner(page).getByText("does not answer", { exact: false }).waitFor();
  how = "well";
  await banner(page).waitFor({ state: "detached" });
  assert.deepEqual(page.wrong, []);
});
