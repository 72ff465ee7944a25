/** Why nothing moves: the daemon says it in English; what is known of that is said in the language of the page. */

import { speech } from "../lib/words.svelte";

type Rule = readonly [RegExp, string | ((...found: string[]) => string)];

const peers = (count: string): string => (count === "1" ? "1 Peer" : `${count} Peers`);
const turns = (most: string): string =>
  most.replace(/complete torrents?/, "fertige Torrents").replace(/downloads?/, "Downloads").replace(/ and /, " und ").replace(/\btorrents?/, "Torrents");

const GERMAN: readonly Rule[] = [
  [/^waiting for its turn in the queue(?:: at most (.+) at once)?$/, (_, most) =>
    `wartet in der Schlange, bis es an der Reihe ist${most ? `: höchstens ${turns(most)} gleichzeitig` : ""}`],
  [/^none of the ([\d,]+) known peers answers$/, "keiner der $1 bekannten Peers antwortet"],
  [/^the only known peer does not answer$/, "der einzige bekannte Peer antwortet nicht"],
  [/^no peers are known$/, "es sind keine Peers bekannt"],
  [/^the connected peer has none of the ([\d,]+) missing pieces? \(([\d.]+) copies\)$/, "der verbundene Peer hat nichts, was hier fehlt ($1 Stücke; $2 Kopien)"],
  [/^none of the (\d+) connected peers has any of the ([\d,]+) missing pieces? \(([\d.]+) copies\)$/,
    "keiner der $1 verbundenen Peers hat etwas, was hier fehlt ($2 Stücke; $3 Kopien)"],
  [/^1 peer has what is missing here, and does not serve us yet$/, "1 Peer hat, was hier fehlt, und gibt noch nichts"],
  [/^(\d+) peers have what is missing here, and none of them serves us yet$/, "$1 Peers haben, was hier fehlt, und keiner gibt noch etwas"],
  [/^the download limit of this torrent is reached$/, "die Lade-Grenze dieses Torrents ist erreicht"],
  [/^the download limit of all torrents is reached$/, "die Lade-Grenze aller Torrents ist erreicht"],
  [/^the disk is slow: what has come waits to be checked and written$/, "die Platte ist langsam: was gekommen ist, wartet auf Prüfen und Schreiben"],
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
  [/^the price is too high$/, "der Preis ist zu hoch"],
  [/^the limits of the buyer's wallet do not allow more$/, "die Grenzen der Geldbörse des Käufers erlauben nicht mehr"],
  [/^the buyer's key is not registered in the vault, or the signature is wrong$/, "der Schlüssel des Käufers ist im Tresor nicht angemeldet, oder die Unterschrift ist falsch"],
  [/^the buyer's books begin anew$/, "die Bücher des Käufers beginnen neu"],
  [/^the seller knows later payments of this wallet: let one copy of it pay, on one device$/, "der Verkäufer kennt spätere Zahlungen dieser Geldbörse: Nur eine Kopie davon darf zahlen, auf einem Gerät"],
  [/^another copy of this wallet signed, or it was put back or imported: it pays nothing before tomorrow \(UTC\)\. If no other copy pays any more, `wildbach wallet reopen` lets it pay today$/, "Eine andere Kopie dieser Geldbörse hat unterschrieben, oder sie wurde zurückgespielt oder eingeführt: Sie zahlt vor morgen (UTC) nichts. Wenn keine andere Kopie mehr zahlt, gibt `wildbach wallet reopen` den Tag frei"],
  [/^the buyer has reserved nothing that covers more, and a stranger gets little or no credit$/, "der Käufer hat nichts zurückgelegt, was für mehr reicht, und Fremde bekommen wenig oder keinen Kredit"],
  [/^as much is owed as may be: a voucher is waited for$/, "es ist so viel offen, wie offen sein darf: auf einen Gutschein wird gewartet"],
  [/^the offer is not known any more$/, "das Angebot ist nicht mehr bekannt"],
  [/^the other side ended it$/, "die andere Seite hat es beendet"],
  [/^both sides counted differently$/, "beide Seiten haben verschieden gezählt"],
];

export function reason(text: string): string {
  if (speech.language === "en" || text === "") return text;
  return GERMAN.reduce((said, [found, german]) => (typeof german === "string" ? said.replace(found, german) : said.replace(found, german)), text);
}
