/** Magnet links of other pages, opened here. */

/** Browsers let pages over TLS and of this machine ask for it. */
export const canTakeMagnets = "registerProtocolHandler" in navigator && isSecureContext;

/** The browser asks somebody whether that is wished. */
export function takeMagnets(): void {
  navigator.registerProtocolHandler("magnet", `${new URL("./", document.baseURI).href}#/add?url=%s`);
}
