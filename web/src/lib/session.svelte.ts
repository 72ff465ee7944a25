/** Who one is. */

import { onLoggedOut, Problem, ROOT, send } from "./api";

export interface Session {
  role: "guest" | "user" | null;
  name: string;
  password_set: boolean;
}

class Who {
  /** null until it is known. */
  session = $state.raw<Session | null>(null);
  /** Nobody answers. */
  away = $state(false);

  get user(): boolean {
    return this.session?.role === "user";
  }

  get inside(): boolean {
    return this.session !== null && this.session.role !== null;
  }

  async look(): Promise<void> {
    try {
      const answer = await send("GET", new URL(`${ROOT.href}/session`));
      this.session = (await answer.json()) as Session;
      this.away = false;
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      this.away = true;
    }
  }

  /** Throws Problem. */
  async login(user: string, password: string): Promise<void> {
    const body = JSON.stringify({ user, password });
    await send("POST", new URL(`${ROOT.href}/login`), body, "application/json");
    await this.look();
  }

  async logout(): Promise<void> {
    await send("POST", new URL(`${ROOT.href}/logout`), "{}", "application/json");
    await this.look();
  }
}

export const who = new Who();
onLoggedOut(() => {
  if (who.inside) void who.look();
});
