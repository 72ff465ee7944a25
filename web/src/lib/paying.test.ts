import { expect, test } from "vitest";
import { Problem, type Model } from "./api";
import { carryOut, mayPay, missing, type Order, perDay, type Vault } from "./paying";

const quoteOf = (id: string, short = 0): Model<"WalletQuote"> =>
  ({ id, to: "", label: "", amount: 0, bandwidth: 0, energy: 0, activation: 0, memo: 0, fee: 0, balance: 0, short, cautions: [] });
const sentAs = (id: string, state: string, note = ""): Model<"WalletSend"> =>
  ({ id, kind: "call", state, to: "", label: "", amount: 0, fee: 0, txid: "", block: 0, created_at: 0, ended_at: 0, note });

class Played implements Vault {
  said: string[] = [];
  states = ["prepared", "pending", "confirmed"];
  short = 0;
  async quote(order: Order): Promise<Model<"WalletQuote">> {
    this.said.push(`quote ${order.action}`);
    return quoteOf(order.action, this.short);
  }
  async send(quote: string): Promise<Model<"WalletSend">> {
    this.said.push(`send ${quote}`);
    return sentAs(quote, this.states[0] ?? "");
  }
  async look(sent: Model<"WalletSend">): Promise<Model<"WalletSend">> {
    return sentAs(sent.id, this.states[this.states.indexOf(sent.state) + 1] ?? "", "out of energy");
  }
}
const both: Order[] = [{ action: "redeem" }, { action: "claim" }];

test("the second is quoted and sent once the first is settled", async () => {
  const vault = new Played();
  expect(await carryOut(both, quoteOf("shown"), vault, () => true)).toBe(true);
  expect(vault.said).toEqual(["send shown", "quote claim", "send claim"]);
});

test("after one that failed, or that there is no money for, nothing is sent", async () => {
  const failing = new Played();
  failing.states = ["pending", "failed"];
  await expect(carryOut(both, quoteOf("shown"), failing, () => true)).rejects.toThrow("out of energy");
  expect(failing.said).toEqual(["send shown"]);
  const poor = new Played();
  poor.short = 5;
  await expect(carryOut(both, quoteOf("shown"), poor, () => true)).rejects.toBeInstanceOf(Problem);
  expect(poor.said).toEqual(["send shown", "quote claim"]);
});

test("who goes away in between sends no more", async () => {
  const vault = new Played();
  expect(await carryOut(both, quoteOf("shown"), vault, (step) => step === "redeem")).toBe(false);
  expect(vault.said).toEqual(["send shown"]);
});

test("rows become days, by the calendar of the daemon", () => {
  const now = 20_000 * 86_400 + 3600;
  const row = (at: number, debit: string, credit: string, amount: number): Model<"PayRow"> =>
    ({ number: 1, at, what: "voucher", debit, credit, amount, party: "", torrent: "" });
  const rows = [
    row(now, "held", "earned", 5), row(now - 3601, "held", "earned", 7), row(now - 86_400, "held", "earned", 1), row(now - 9 * 86_400, "held", "earned", 99),
    row(now, "bought", "promised", 3), row(now + 2 * 86_400, "held", "earned", 50), row(now, "earned", "held", 1),
  ];
  expect(perDay(rows, "earned", now, 3)).toEqual([{ at: 19_998 * 86_400, sum: 0 }, { at: 19_999 * 86_400, sum: 8 }, { at: 20_000 * 86_400, sum: 4 }]);
  expect(perDay(rows, "bought", now, 2).map((day) => day.sum)).toEqual([0, 3]);
});

test("what is missing is said in the order in which it is mended", () => {
  const whole = { consent: "", exists: true, kind: "words", problem: "" } as Model<"WalletStatus">;
  expect(missing(whole, "T")).toBeNull();
  expect(missing({ ...whole, problem: "no answer" }, "T")).toBe("chain");
  expect(missing({ ...whole, problem: "no answer" }, "")).toBe("vault");
  expect(missing({ ...whole, kind: "watched" }, "")).toBe("watched");
  expect(missing({ ...whole, exists: false }, "")).toBe("wallet");
  expect(missing({ ...whole, exists: false, consent: "words" }, "")).toBe("consent");
});

test("one limit that is 0 stops everything", () => {
  const limits = { per_voucher: 1, per_peer: 1, per_torrent: 1, per_day: 1, total: 1, max_price: 1, fees_per_day: 0 };
  expect(mayPay(limits)).toBe(true);
  expect(mayPay({ ...limits, total: 0 })).toBe(false);
});
