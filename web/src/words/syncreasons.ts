/** Why something of a folder waits: the daemon says it in English; what is known of that is said in the language of the page. */

import { speech } from "../lib/words.svelte";

const GERMAN: Readonly<Record<string, string>> = {
  "changed here": "hier geändert",
  "this folder only sends": "dieser Ordner sendet nur",
  "deletions wait until all is compared": "Löschungen warten, bis alles verglichen ist",
  "another name that this file system cannot tell apart": "ein anderer Name, den dieses Dateisystem nicht unterscheidet",
  "the name cannot be stored here": "der Name lässt sich hier nicht speichern",
  "changed and not scanned yet": "geändert und noch nicht durchgesehen",
  "its directory comes first": "erst kommt sein Ordner",
  "being done": "wird gerade gemacht",
  "the directory has files that are not kept in step": "im Ordner sind Dateien, die nicht gleich gehalten werden",
  "too many files would go at once": "zu viele Dateien gingen auf einmal",
  "on its way": "unterwegs",
  "no device in reach has it": "kein erreichbares Gerät hat es",
  "no room on the disk": "kein Platz auf der Platte",
  "the disk refused": "die Platte wollte nicht",
  "this device was taken out of the folder: its files stay, and nothing new comes": "dieses Gerät wurde aus dem Ordner ausgeschlossen: Seine Dateien bleiben, und nichts Neues kommt",
  "the folder's secrets were changed while this device was away: it waits for another device":
    "die Geheimnisse des Ordners wurden geändert, während dieses Gerät weg war: Es wartet auf ein anderes Gerät",
  "many files are missing here at once. Were they deleted on purpose? Until you say so, nothing is deleted on the other devices":
    "hier fehlen auf einmal viele Dateien. Wurden sie mit Absicht gelöscht? Bis Sie das sagen, wird auf den anderen Geräten nichts gelöscht",
  "looking for the device that gave the link": "das Gerät, von dem der Link ist, wird gesucht",
};

const TOLD = /^many files went here within an hour, and the other devices were told of (\d+) of them\. /;

export function syncReason(text: string): string {
  if (speech.language !== "de") return text;
  const told = TOLD.exec(text)?.[1];
  if (told !== undefined)
    return `hier gingen in einer Stunde viele Dateien, und von ${told} davon wissen die anderen Geräte schon. War das Absicht? Bis Sie das sagen, wird dort nichts mehr gelöscht`;
  return GERMAN[text] ?? text;
}
