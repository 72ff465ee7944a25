/** What somebody wants of the vault: what has to be filled in, and which steps it takes. */

import type { Order, Step } from "../../lib/paying";

export interface Wish {
  title: "collect" | "deposit" | "reserve" | "release" | "askBack" | "unask" | "withdraw" | "register" | "sponsor";
  /** Which of the hints says what it means. */
  hint: string;
  steps: readonly Step[];
  asks: readonly ("amount" | "who" | "days")[];
  who?: string;
  amount?: number;
  /** In place of what would be filled in: each step with all that it needs. */
  orders?: readonly Order[];
}

/** With the key that signs payments, where the vault does not know it. */
export function depositing(registered: boolean): Wish {
  return { title: "deposit", hint: "deposit", steps: registered ? ["deposit"] : ["deposit", "add_signer"], asks: ["amount"] };
}
