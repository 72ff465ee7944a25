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
  "the folder is not there: was a disk unplugged? It goes on when the folder is back": "der Ordner ist nicht da: Wurde eine Platte abgezogen? Es geht weiter, wenn er wieder da ist",
  "the folder has no .wildbach/id: it is empty or another one, and nothing is taken for deleted. If this is right, leave the folder and join it anew with this path":
    "im Ordner fehlt .wildbach/id: Er ist leer oder ein anderer, und nichts gilt als gelöscht. Ist das richtig so, verlassen Sie den Ordner, und treten Sie ihm mit diesem Pfad neu bei",
  "the folder's .wildbach/id cannot be read; leave the folder and join it anew with this path":
    ".wildbach/id im Ordner ist nicht lesbar; verlassen Sie den Ordner, und treten Sie ihm mit diesem Pfad neu bei",
  "another folder stands at this path": "an diesem Pfad steht ein anderer Ordner",
  "both sides call at the same time, to open their routers": "beide Seiten rufen gleichzeitig an, um ihre Router zu öffnen",
  "waiting for it at a relay": "an einem Relay wird darauf gewartet",
  "being called": "wird angerufen",
  "not at the addresses that are known, and the DHT is not used": "nicht an den bekannten Adressen, und die DHT wird nicht benutzt",
  "not at the addresses that are known, and the DHT has no record of it": "nicht an den bekannten Adressen, und die DHT hat keinen Eintrag davon",
  "it was away while the keys changed, and is given the new ones": "war weg, während die Schlüssel geändert wurden, und bekommt die neuen",
  "does not answer where its record says that it is": "antwortet dort nicht, wo es nach seinem Eintrag ist",
  changing: "ändert sich dauernd",
  "no permission": "keine Erlaubnis",
  "io error": "die Platte meldet einen Fehler",
  special: "keine gewöhnliche Datei",
  "bad name": "der Name ist nicht erlaubt",
  "other device": "dort ist ein anderes Dateisystem eingehängt",
  clash: "zwei Namen, die in Unicode derselbe sind",
  "looking for the device that gave the link": "das Gerät, von dem der Link ist, wird gesucht",
};

const PATTERNS: readonly (readonly [RegExp, (...parts: string[]) => string])[] = [
  [
    /^many files are missing here at once: ([\d,]+) of ([\d,]+)\. /,
    (missing, all) => `hier fehlen auf einmal viele Dateien: ${german(missing)} von ${german(all)}. Wurden sie mit Absicht gelöscht? Bis Sie das sagen, wird auf den anderen Geräten nichts gelöscht`,
  ],
  [
    /^many files went here within an hour: ([\d,]+) of ([\d,]+) are missing, and the other devices were told of ([\d,]+) before\. /,
    (missing, all, told) => `hier gingen in einer Stunde viele Dateien: ${german(missing)} von ${german(all)} fehlen, und von ${german(told)} wissen die anderen Geräte schon. War das Absicht? Bis Sie das sagen, wird dort nichts mehr gelöscht`,
  ],
  [
    /^(.+) deleted or changed many files at once: ([\d,]+) of ([\d,]+)\. /s,
    (names, asked, all) => `${names}: dort wurden viele Dateien auf einmal gelöscht oder geändert: ${german(asked)} von ${german(all)}. Ist das gewollt? Bis Sie das sagen, bleiben sie hier`,
  ],
  [/^not at the addresses that are known; the DHT is silent \((.*)\)$/s, (why) => `nicht an den bekannten Adressen; die DHT schweigt (${why})`],
];

function german(count: string): string {
  return count.replaceAll(",", ".");
}

export function syncReason(text: string): string {
  if (speech.language !== "de") return text;
  for (const [pattern, said] of PATTERNS) {
    const found = pattern.exec(text);
    if (found) return said(...found.slice(1));
  }
  return GERMAN[text] ?? text;
}
