/** What is done at the vault step by step, and the ledger's rows as days. Amounts are SUN, times seconds since 1970. */

import { Problem, type Model } from "./api";

export type Order = Partial<Model<"PayOrder">> & Pick<Model<"PayOrder">, "action">;
export type Step = Order["action"];

/** How the vault is asked; by itself, so that it can be tried without a daemon. */
export interface Vault {
  quote(order: Order): Promise<Model<"WalletQuote">>;
  send(quote: string): Promise<Model<"WalletSend">>;
  /** The same send a moment later. */
  look(sent: Model<"WalletSend">): Promise<Model<"WalletSend">>;
}

const open = (sent: Model<"WalletSend">): boolean => sent.state === "prepared" || sent.state === "pending";

/**
 * One after the other, each once the one before it is settled: only then can be told what the next one costs. `first`:
 * the quote of the first, which was shown. `go` is asked before each, and told of each step.
 *
 * Throws Problem where one fails; what comes after it is not sent. True: all were done.
 */
export async function carryOut(orders: readonly Order[], first: Model<"WalletQuote">, vault: Vault, go: (step: Step) => boolean): Promise<boolean> {
  for (const [at, order] of orders.entries()) {
    if (!go(order.action)) return false;
    const quote = at === 0 ? first : await vault.quote(order);
    if (quote.short) throw new Problem(0, "too_little", `${order.action}: ${quote.short}`, { short: quote.short });
    let sent = await vault.send(quote.id);
    while (open(sent)) {
      if (!go(order.action)) return false;
      sent = await vault.look(sent);
    }
    if (sent.state !== "confirmed") throw new Problem(0, "not_settled", sent.note, { state: sent.state });
  }
  return true;
}

const DAY = 86_400;

export interface Day {
  /** When it began, by the calendar of UTC, as the daemon counts. */
  at: number;
  sum: number;
}

/**
 * What went into an account each day, or out of it where that is how it grows (what is earned stands below zero on the
 * books); the last day is that of `now`. Rows may come in any order.
 */
export function perDay(rows: readonly Model<"PayRow">[], account: "earned" | "bought", now: number, days: number): Day[] {
  const last = Math.floor(now / DAY) * DAY;
  const sums = Array.from({ length: days }, (_, at) => ({ at: last - (days - 1 - at) * DAY, sum: 0 }));
  for (const row of rows) {
    const day = sums[Math.floor((row.at - last) / DAY) + days - 1];
    const sum = row.credit === account ? row.amount : row.debit === account ? -row.amount : 0;
    if (day) day.sum += account === "earned" ? sum : -sum;
  }
  return sums.map((day) => ({ at: day.at, sum: Math.max(0, day.sum) }));
}

export type Missing = "consent" | "wallet" | "watched" | "vault" | "chain";

/** What has to be there before anything is bought or sold, the first of it that is not. */
export function missing(wallet: Model<"WalletStatus">, vault: string): Missing | null {
  if (wallet.consent) return "consent";
  if (!wallet.exists) return "wallet";
  if (wallet.kind === "watched") return "watched";
  if (!vault) return "vault";
  return wallet.problem ? "chain" : null;
}

/** Whether the limits of a wallet let it pay at all: one that is 0 stops everything. */
export function mayPay(limits: Model<"WalletLimits">): boolean {
  return [limits.per_voucher, limits.per_peer, limits.per_torrent, limits.per_day, limits.total, limits.max_price].every((one) => (one ?? 0) > 0);
}
