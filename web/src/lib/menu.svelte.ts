/** The one menu that may be open. */

import type { Item } from "../ui/Menu.svelte";

interface Open {
  label: string;
  items: Item[];
  x: number;
  y: number;
}

export const menu = $state<{ open: Open | null }>({ open: null });

export function openMenu(label: string, items: Item[], x: number, y: number): void {
  menu.open = { label, items, x, y };
}

/** Below what was clicked. */
export function openBelow(event: MouseEvent, label: string, items: Item[]): void {
  const box = (event.currentTarget as HTMLElement).getBoundingClientRect();
  openMenu(label, items, box.left, box.bottom + 4);
}
