/** Whether the first steps are still to be made: nobody chose yet how one gets in the next time. */

import { api, Problem } from "./api";
import { who } from "./session.svelte";

class Setup {
  needed = $state(false);
  #later = false;

  async look(): Promise<void> {
    // Whoever is at it goes on, also once the first step is made.
    if (this.needed) return;
    try {
      const access = await api.get("/access");
      this.needed = !this.#later && !access.password_set && !access.trust_local;
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
    }
  }

  /** They are made, or left for another day. */
  async done(): Promise<void> {
    this.#later = true;
    this.needed = false;
    await who.look();
  }
}

export const setup = new Setup();
