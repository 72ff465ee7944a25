/** The first steps, and what one finds the next time. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { World } from "./world.mjs";

const world = new World();
let daemon;

before(async () => (daemon = await world.daemon({ fixed: false })));
after(() => world.end());

test("a password and a folder are chosen, and one logs in with it the next time", async () => {
  const page = await world.page();
  await page.goto(await daemon.link());
  await page.getByRole("heading", { name: "Welcome to wildbach" }).waitFor();
  const set = page.getByRole("button", { name: "Set the password" });
  await page.getByLabel("Password", { exact: true }).fill("long enough for this");
  await page.getByLabel("Once more").fill("something else");
  await page.getByText("The two are not the same.").waitFor();
  assert.ok(await set.isDisabled());
  await page.getByLabel("Once more").fill("long enough for this");
  await set.click();
  await page.getByText("The password is set.", { exact: false }).waitFor();
  const folder = join(world.folder, "elsewhere");
  await page.getByLabel("Folder for downloads").fill(folder);
  await page.getByText("It is not there yet and will be made.").waitFor();
  await page.getByRole("button", { name: "Use this folder" }).click();
  await page.getByText("Downloads go there.").waitFor();
  await page.getByRole("button", { name: "Go to the list" }).click();
  await page.locator("#list").waitFor();
  const settings = await page.evaluate(async () => (await fetch("api/v1/settings")).json());
  assert.equal(settings.values["downloads.folder"], folder);
  assert.deepEqual(page.wrong, []);
  assert.deepEqual(await page.evaluate(() => window.__policy), []);

  const other = await world.page();
  await other.goto(daemon.url);
  await other.getByLabel("Password").fill("long enough for this");
  await other.getByRole("button", { name: "Log in" }).click();
  await other.locator("#list").waitFor();
});

test("without a password this machine gets in, what a flag says is not asked for, and all else can wait", async () => {
  const started = await world.daemon({ name: "flagged" });
  const page = await world.page({ width: 360, height: 740, language: "de-DE" });
  await page.goto(await started.link());
  await page.getByText("Er wurde beim Start von wildbach bestimmt", { exact: false }).waitFor();
  assert.ok(await page.getByLabel("Ordner für Downloads").isDisabled());
  await page.getByRole("radio", { name: "Nur dieser Rechner", exact: false }).check();
  await page.getByRole("button", { name: "Das wählen" }).click();
  await page.getByText("Dieser Rechner kommt ohne Passwort herein.").waitFor();
  assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 360);

  const other = await world.page();
  await other.goto(started.url);
  await other.locator("#list").waitFor();
});
