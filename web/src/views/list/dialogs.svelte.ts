/** Which dialog about torrents is open, and about which of them. */

class About {
  keys = $state.raw<readonly string[]>([]);

  get shown(): boolean {
    return this.keys.length > 0;
  }

  open(keys: readonly string[]): void {
    this.keys = [...keys];
  }

  close(): void {
    this.keys = [];
  }
}

export const removing = new About();
export const moving = new About();
export const renaming = new About();
export const categorising = new About();
export const tagging = new About();
export const limiting = new About();
