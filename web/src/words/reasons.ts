/** Why nothing moves: the daemon says it in English; what is known of that is said in the language of the page. */

import { speech } from "../lib/words.svelte";

type Rule = readonly [RegExp, string | ((...found: string[]) => string)];

const peers = (count: string): string => (count === "1" ? "1 Peer" : `${count} Peers`);

const GERMAN: readonly Rule[] = [
  [/^waiting for its turn in the queue$/, "wartet in der Schlange, bis es an der Reihe ist"],
  [/^none of the known peers answers$/, "keiner der bekannten Peers antwortet"],
  [/^no peers are known$/, "es sind keine Peers bekannt"],
  [/^the connected peers have nothing that is missing here$/, "die verbundenen Peers haben nichts, was hier fehlt"],
  [/^waiting for a peer to serve us$/, "wartet, dass ein Peer etwas gibt"],
  [/^calling (\d+) peers?$/, (_, count) => `ruft ${peers(count ?? "")} an`],
  [/^(\d+) peers? (?:says it has|say they have) what is missing here, and nothing comes$/, (_, count) =>
    count === "1" ? "1 Peer sagt, er habe, was hier fehlt, und nichts kommt" : `${count} Peers sagen, sie hätten, was hier fehlt, und nichts kommt`],
  [/^no peers: /, "keine Peers: "],
  [/\bthere is no tracker\b/, "es gibt keinen Tracker"],
  [/\bwaiting for a tracker's reply\b/, "wartet auf die Antwort eines Trackers"],
  [/\btracker (\S+) knows no other peers\b/, "der Tracker $1 kennt keine anderen Peers"],
  [/\bno tracker answers \(/, "kein Tracker antwortet ("],
  [/ and (\d+) more(?=[;)])/, " und $1 weitere"],
  [/; next try in /, "; nächster Versuch in "],
  [/\blooking in the DHT \((\d+) nodes?\)/, "sucht in der DHT ($1 Knoten)"],
  [/\bthe DHT has (\d+) nodes? yet\b/, "die DHT hat erst $1 Knoten"],
  [/^no connected peer has the metadata$/, "kein verbundener Peer hat die Metadaten"],
  [/^(\d+) peers have the metadata but do not send it$/, (_, count) => `${peers(count ?? "")} haben die Metadaten und schicken sie nicht`],
  [/^fetching metadata: (\d+) of (\d+) bytes from (\d+) peers?$/, (_, done, total, count) => `holt Metadaten: ${done} von ${total} Bytes von ${peers(count ?? "")}`],
  [/^no connected peer speaks v2, which the hashes of the pieces are needed from$/, "kein verbundener Peer spricht v2, und nur so kommen die Prüfsummen der Stücke"],
  [/^(\d+) v2 peers do not send the hashes of the pieces$/, "$1 v2-Peers schicken die Prüfsummen der Stücke nicht"],
  [/^fetching the hashes of (\d+) files or pieces$/, "holt die Prüfsummen von $1 Dateien oder Stücken"],
];

export function reason(text: string): string {
  if (speech.language === "en" || text === "") return text;
  return GERMAN.reduce((said, [found, german]) => (typeof german === "string" ? said.replace(found, german) : said.replace(found, german)), text);
}
