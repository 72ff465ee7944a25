/** Where one is: the part of the address behind #, so that it works below any path. */

class Route {
  #hash = $state(location.hash);

  constructor() {
    window.addEventListener("hashchange", () => (this.#hash = location.hash));
  }

  /** `#/t/ab12/files?x=1` is ["t", "ab12", "files"]. */
  get parts(): string[] {
    return (this.#hash.replace(/^#\/?/, "").split("?")[0] ?? "").split("/").filter(Boolean).map(decode);
  }

  /** What follows the first question mark. */
  get search(): string {
    return this.#hash.replace(/^[^?]*\??/, "");
  }

  get query(): URLSearchParams {
    return new URLSearchParams(this.search);
  }

  get page(): string {
    return this.parts[0] ?? "";
  }

  go(...parts: string[]): void {
    location.hash = link(...parts);
  }

  /** As `go`, and the way back leads past where one was. */
  replace(...parts: string[]): void {
    history.replaceState(null, "", link(...parts));
    this.#hash = location.hash;
  }
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

export function link(...parts: string[]): string {
  return `#/${parts.map(encodeURIComponent).join("/")}`;
}

export const route = new Route();
