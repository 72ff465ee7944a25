/** The wallet in Chromium: made from words, paid, refused with a reason, sent from; by everybody and on a phone. */

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { PATIENCE, picture, sticksOut, World } from "./world.mjs";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"];
const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const PYTHON = join(dirname(process.env.WILDBACH ?? "wildbach"), "python");
/** Somebody who never got anything. */
const FRIEND = "TEdvoHEatmDKvTh3o9vBRB9Vdtbhn4QFhy";
const PASSPHRASE = "correct horse battery";
const world = new World();
let daemon, node, page;

/** A node whose chain makes a block each half second; `give` gives an address money. */
function startNode() {
  const child = spawn(PYTHON, ["-m", "tests.paynode"], { cwd: ROOT, stdio: ["pipe", "pipe", "inherit"] });
  return new Promise((resolve, reject) => {
    child.on("exit", (code) => reject(new Error(`the node ended with ${code}`)));
    createInterface({ input: child.stdout }).on("line", (url) => resolve({ child, url, give: (address, sun) => child.stdin.write(`${address}=${sun}\n`) }));
  });
}

before(async () => {
  node = await startNode();
  daemon = await world.daemon({ settings: [`chain.url=${node.url}`, `chain.counters=${world.folder}/counters`] });
  page = await world.page({ bypass: true });
  await page.addInitScript({ content: AXE });
  await world.enter(page, daemon);
  await page.goto(`${daemon.url}/#/wallet`);
}, { timeout: 4 * PATIENCE });
after(async () => {
  node?.child.kill();
  await world.end();
});

async function fine(where) {
  await page.evaluate(() => Promise.all(document.getAnimations().filter((one) => one.effect.getComputedTiming().endTime !== Infinity).map((one) => one.finished.catch(() => {}))));
  const { violations } = await page.evaluate((rules) => window.axe.run(document, { runOnly: rules, resultTypes: ["violations"] }), RULES);
  assert.deepEqual(violations.map((one) => `${where}: ${one.id}: ${one.nodes.map((node) => node.html.slice(0, 160)).join(" ")}`), []);
  assert.deepEqual(await sticksOut(page), [], where);
  await picture(page, `wallet-${where}`);
}

const dialog = () => page.getByRole("dialog");
/** Each goes on where the one before it ended. */
let broken = "";
const step = (name, work) => test(name, async () => {
  assert.equal(broken, "", "a step before this one failed");
  broken = name;
  await work();
  broken = "";
});
const said = (text) => dialog().getByRole("alert").filter({ hasText: text }).waitFor();

step("before there is a wallet the page says what it is for, and where one would be", async () => {
  await page.getByRole("button", { name: "Make a wallet" }).waitFor();
  await page.getByText("Development chain: coins have no value.").waitFor();
  await page.getByText("no chain is asked").waitFor();
  await fine("nothing");
});

step("a wallet is made by keys alone, once two words were read from the paper", async () => {
  await page.getByRole("button", { name: "Make a wallet" }).focus();
  await page.keyboard.press("Enter");
  const words = dialog().locator("ol li");
  await words.nth(11).waitFor();
  await fine("words");
  const shown = await words.allTextContents();
  assert.equal(shown.length, 12);
  await dialog().getByRole("button", { name: "They are on paper" }).focus();
  await page.keyboard.press("Enter");
  const labels = dialog().locator("label").filter({ hasText: /^Word / });
  await labels.first().waitFor();
  const places = (await labels.allTextContents()).map((text) => Number(/\d+/.exec(text)[0]));
  assert.equal(places.length, 2);
  await dialog().getByLabel("Passphrase", { exact: true }).fill(PASSPHRASE);
  await dialog().getByLabel("The same once more").fill("another one");
  await said("The two differ.");
  await dialog().getByLabel("The same once more").fill(PASSPHRASE);
  for (const place of places) await dialog().getByLabel(`Word ${place}`, { exact: true }).fill("zebra");
  await page.keyboard.press("Enter");
  await said("look at the paper");
  await fine("asked-back");
  for (const place of places) await dialog().getByLabel(`Word ${place}`, { exact: true }).fill(shown[place - 1]);
  await page.keyboard.press("Enter");
  await dialog().waitFor({ state: "detached" });
  await page.locator("[data-address]").waitFor();
  const html = await page.content();
  assert.ok(!shown.every((word) => html.includes(word)), "the words are nowhere in the page any more");
});

step("what comes is shown once it cannot be undone, and the address can be copied", async () => {
  const address = await page.locator("[data-address]").textContent();
  assert.match(address, /^T[1-9A-HJ-NP-Za-km-z]{33}$/);
  await page.getByRole("img", { name: "The address, for the camera of a phone" }).waitFor();
  await page.getByRole("button", { name: "Copy the address" }).click();
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), address);
  node.give(address, 12_345_678);
  await page.locator("[data-balance='12345678']").waitFor();
  await page.getByText("12.345678 TRX").waitFor();
  await fine("address");
});

step("a send that cannot be is refused with its reason, and nothing is listed", async () => {
  await page.getByRole("button", { name: "Send", exact: true }).click();
  await dialog().getByLabel("To (address)").fill("Tnonsense");
  await dialog().getByLabel("Amount in TRX").fill("1e3");
  await dialog().getByText("An amount like 12 or 0.5").waitFor();
  await dialog().getByLabel("Amount in TRX").fill("1.5");
  await page.keyboard.press("Enter");
  await said("not an address");
  await dialog().getByLabel("To (address)").fill(FRIEND);
  await dialog().getByLabel("Amount in TRX").fill("99");
  await page.keyboard.press("Enter");
  await said("The account lacks");
  assert.equal(await dialog().getByLabel("Passphrase", { exact: true }).count(), 0);
  await dialog().getByRole("button", { name: "Back" }).click();
  await dialog().getByLabel("Amount in TRX").fill("1.5");
  await page.keyboard.press("Enter");
  await dialog().getByText("Nothing was sent to this address before").waitFor();
  await dialog().getByText("opens the account").waitFor();
  await dialog().getByLabel("Passphrase", { exact: true }).fill("not that one");
  await page.keyboard.press("Enter");
  await said("not the passphrase");
  await fine("refused");
  await page.getByText("Nothing was sent yet.").waitFor();
});

step("a send goes its way to the block that cannot be undone, and the address gets a name", async () => {
  await dialog().getByLabel("Passphrase", { exact: true }).fill(PASSPHRASE);
  await page.keyboard.press("Enter");
  await dialog().waitFor({ state: "detached" });
  await page.locator("tr[data-state]").waitFor();
  await page.locator("tr[data-state='confirmed']").waitFor();
  await page.locator("[data-balance='10845678']").waitFor();
  await page.locator("main").getByLabel("Name", { exact: true }).fill("A friend");
  await page.locator("main").getByLabel("Address", { exact: true }).fill(FRIEND);
  await page.keyboard.press("Enter");
  await page.locator("tr[data-state='confirmed']").getByText("A friend").waitFor();
  const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("link", { name: "Table (CSV)" }).click()]);
  const table = readFileSync(await download.path(), "utf8");
  assert.match(table, /1\.500000/);
  assert.match(table, /A friend/);
});

step("an address that looks like a known one is paid only after it was compared", async () => {
  // The friend's but for the middle: other bytes with the right check, found by trying.
  const twin = await new Promise((resolve, reject) => {
    const lines = ["from wildbach.protocol.tron.address import Address", `known = Address.parse("${FRIEND}")`,
      "near = (Address(known.raw[:4] + n.to_bytes(16, 'big')) for n in range(1 << 20))",
      "print(next(one for one in near if str(one)[1:6].lower() == str(known)[1:6].lower()))"];
    const child = spawn(PYTHON, ["-c", lines.join("\n")], { cwd: ROOT });
    createInterface({ input: child.stdout }).on("line", resolve);
    child.on("exit", (code) => code && reject(new Error(String(code))));
  });
  await page.getByRole("button", { name: "Send", exact: true }).click();
  await dialog().getByLabel("To (address)").fill(twin);
  await dialog().getByLabel("Amount in TRX").fill("0.000001");
  await page.keyboard.press("Enter");
  await dialog().getByText(`This looks like ${FRIEND} and is another address`).waitFor();
  await dialog().getByLabel("Passphrase", { exact: true }).fill(PASSPHRASE);
  assert.equal(await dialog().getByRole("button", { name: "Send", exact: true }).isDisabled(), true);
  await fine("look-alike");
  await dialog().getByRole("button", { name: "Back" }).click();
  await dialog().getByRole("button", { name: "Cancel" }).click();
});

step("a limit is loosened with the passphrase alone, and the key is copied sealed", async () => {
  const limits = page.locator("section").filter({ has: page.getByRole("heading", { name: "Limits of automatic payments" }) });
  await limits.getByLabel("A day (UTC)").fill("2.5");
  await limits.getByLabel("Passphrase").fill("not that one");
  await limits.getByRole("button", { name: "Save" }).click();
  await limits.getByRole("alert").filter({ hasText: "not the passphrase" }).waitFor();
  await limits.getByLabel("Passphrase").fill(PASSPHRASE);
  await limits.getByRole("button", { name: "Save" }).click();
  await page.getByText("The limits hold now.").waitFor();
  assert.equal(await limits.getByLabel("Passphrase").count(), 0);
  await page.getByRole("button", { name: "Save a copy" }).click();
  await dialog().getByLabel("Passphrase", { exact: true }).fill(PASSPHRASE);
  const [download] = await Promise.all([page.waitForEvent("download"), page.keyboard.press("Enter")]);
  assert.equal(JSON.parse(readFileSync(await download.path(), "utf8")).version, 3);
});

/** The daemon's own answers, with figures that take a lost state of the wallet and days to come by. */
async function lost(on) {
  await on.route(/\/wallet$/, async (route) => {
    const answer = await route.fetch();
    await route.fulfill({ response: answer, json: { ...(await answer.json()), other_signers: [FRIEND, FRIEND] } });
  });
  await on.route(/\/wallet\/limits$/, async (route) => {
    const answer = await route.fetch();
    const found = await answer.json();
    await route.fulfill({ response: answer, json: { ...found, used: { ...found.used, adrift: 1_500_000 } } });
  });
}

step("what a lost state of the wallet left behind is said, in both languages", async () => {
  for (const [language, keys, free] of [["en-GB", "2 other keys in the vault can pay", "1.5 TRX are kept free"], ["de-DE", "2 andere Schlüssel im Tresor", "1,5 TRX werden frei gehalten"]]) {
    const made = await world.page({ width: 360, height: 760, language, bypass: true });
    await world.enter(made, daemon);
    await lost(made);
    await made.goto(`${daemon.url}/#/wallet`);
    await made.locator("[data-others='2']").getByText(keys).waitFor();
    await made.locator("[data-adrift='1500000']").getByText(free).waitFor();
    assert.deepEqual(await sticksOut(made), []);
    await made.close();
  }
});

step("on a phone, in the dark and in German it is all there", async () => {
  await page.setViewportSize({ width: 360, height: 760 });
  await page.emulateMedia({ colorScheme: "dark" });
  await page.reload();
  await page.locator("tr[data-state='confirmed']").waitFor();
  await fine("phone");
  await page.getByRole("button", { name: "Send", exact: true }).click();
  await fine("phone-send");
  await page.keyboard.press("Escape");
  const german = await world.page({ width: 360, height: 760, language: "de-DE", bypass: true });
  await world.enter(german, daemon);
  await german.goto(`${daemon.url}/#/wallet`);
  await german.getByText("Entwicklungskette: Die Münzen sind nichts wert.").waitFor();
  await german.locator("tr[data-state='confirmed']").waitFor();
  assert.deepEqual(await sticksOut(german), []);
  await picture(german, "wallet-german");
  assert.deepEqual([...page.wrong, ...german.wrong], []);
});

step("real money takes a setting and typed words, and stands out", async () => {
  const real = await world.daemon({ name: "real", settings: ["chain.network=mainnet", "chain.allow_mainnet=true", `chain.url=${node.url}`, `chain.counters=${world.folder}/real`] });
  page = await world.page({ bypass: true });
  await page.addInitScript({ content: AXE });
  await world.enter(page, real);
  await page.goto(`${real.url}/#/wallet`);
  await page.getByText("Mainnet: this is real money.").waitFor();
  assert.equal(await page.getByRole("button", { name: "Make a wallet" }).isDisabled(), true);
  await page.getByLabel(/^Before mainnet is used, type/).fill("yes");
  await page.keyboard.press("Enter");
  await page.getByRole("alert").filter({ hasText: "mainnet is real money" }).waitFor();
  await fine("mainnet");
  await page.getByLabel(/^Before mainnet is used, type/).fill("this is real money");
  await page.keyboard.press("Enter");
  await page.getByRole("button", { name: "Make a wallet" }).and(page.locator(":enabled")).waitFor();
  await page.getByRole("button", { name: "Import one" }).click();
  await dialog().getByLabel("What you have").selectOption("address");
  await dialog().getByLabel("The address").fill(FRIEND);
  await page.keyboard.press("Enter");
  await dialog().waitFor({ state: "detached" });
  await page.getByText("Only looked at").waitFor();
  await page.getByRole("status").filter({ hasText: "has another chain than mainnet" }).waitFor();
  assert.equal(await page.getByRole("button", { name: "Send", exact: true }).count(), 0);
  await fine("watched");
});
