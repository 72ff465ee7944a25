/** For dialogs, which say what went wrong where it was asked for: does it, and gives what was wrong, or nothing. */

import { Problem } from "./api";

export async function tried(work: () => Promise<unknown>): Promise<string> {
  try {
    await work();
    return "";
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    return error.message;
  }
}
