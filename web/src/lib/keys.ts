/** The keyboard map: who can do something by a key says so here, and `?` shows all of it. */

export interface Shortcut {
  /** As `event.key` has it, with `Ctrl+` (also for ⌘) and `Shift+` before it where they count. */
  keys: string[];
  label: () => string;
  run: (event: KeyboardEvent) => void;
  /** Also while somebody types. */
  whileTyping?: boolean;
}

const shortcuts = new Set<Shortcut>();

/** To be used in an effect: what it gives ends it. */
export function shortcut(one: Shortcut): () => void {
  shortcuts.add(one);
  return () => shortcuts.delete(one);
}

export function known(): Shortcut[] {
  return [...shortcuts];
}

function name(event: KeyboardEvent): string {
  const shift = event.shiftKey && (event.key.length > 1 || event.ctrlKey || event.metaKey);
  const key = event.key.length === 1 && shift ? event.key.toUpperCase() : event.key;
  return `${event.ctrlKey || event.metaKey ? "Ctrl+" : ""}${event.altKey ? "Alt+" : ""}${shift ? "Shift+" : ""}${key}`;
}

export function typing(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false;
  if (target.isContentEditable || target instanceof HTMLTextAreaElement || target instanceof HTMLSelectElement) return true;
  return target instanceof HTMLInputElement && !["checkbox", "radio", "button", "range", "file"].includes(target.type);
}

export function listen(): () => void {
  const hear = (event: KeyboardEvent): void => {
    if (event.defaultPrevented || event.isComposing) return;
    // What is open above the page has the keyboard to itself.
    if (document.querySelector("dialog[open]")) return;
    const pressed = name(event);
    for (const one of [...shortcuts].reverse()) {
      if (one.keys.includes(pressed) && (one.whileTyping || !typing(event.target))) {
        event.preventDefault();
        one.run(event);
        return;
      }
    }
  };
  window.addEventListener("keydown", hear);
  return () => window.removeEventListener("keydown", hear);
}
