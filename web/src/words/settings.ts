import { speech, words } from "../lib/words.svelte";
import { german } from "./settings.de";

export const settingsWords = words(
  {
    search: "Search settings",
    nothing: "No setting matches.",
    saved: "Saved.",
    savedRestart: "Saved. Some of it holds after the next start of wildbach.",
    changed: (count: number) => (count === 1 ? "1 change is not saved." : `${count} changes are not saved.`),
    forget: "Forget them",
    locked: (source: string) => (source === "flag" ? "A flag of the command line says this." : "A variable of the environment says this."),
    hostOnly: "Only the configuration file and the command line on the machine of wildbach can change this.",
    needsRestart: "Holds after the next start.",
    atRestart: "Needs a restart.",
    reset: (text: string) => `Back to the default: ${text}`,
    on: "on",
    offWord: "off",
    empty: "nothing",
    secret: "is set; write to change it",
    oneALine: "One a line",
    from: (least: number) => `At least ${least}.`,
    badNumber: (least?: number, most?: number) => `A number${least !== undefined ? ` from ${least}` : ""}${most !== undefined ? ` to ${most}` : ""}.`,
    badBytes: "Such as 700K, 1.5 MiB or 0.",
    choices: {
      fastest: "the fastest", round_robin: "one after the other", anti_leech: "those who just began or are nearly done", prefer: "tried first", require: "only",
      off: "off", either: "as the other likes", rc4: "encrypted", plain: "plain", auto: "chosen", processes: "processes", threads: "threads", copy: "copy", link: "hard link",
      original: "as the torrent says", subfolder: "always a folder", none: "no folder", stop: "stop", remove: "remove", remove_files: "remove with files", super_seed: "super-seeding",
    } as Record<string, string>,
    sections: {
      connections: "Connections", rates: "Speed", peers: "Peers", disk: "Disk", content: "Cache", trackers: "Trackers", discovery: "Being found", web_seeds: "Web seeds", dht: "DHT",
      network: "Way out", filter: "IP filter", downloads: "Downloads", queue: "Queue", seeding: "Seeding", slow_mode: "Slow mode", trash: "Trash", leeches: "Leeches",
      feeds: "Feeds", hooks: "Commands", notify: "Notifications", api: "Web and API", media: "Playing", sites: "Sites",
      channels: "Channels", sync: "Synced folders", chain: "Chain", pay: "Payments",
    } as Record<string, string>,
  },
  {
    search: "Einstellungen suchen",
    nothing: "Keine Einstellung ist so.",
    saved: "Gespeichert.",
    savedRestart: "Gespeichert. Manches gilt erst nach dem nächsten Start von wildbach.",
    changed: (count) => (count === 1 ? "1 Änderung ist nicht gespeichert." : `${count} Änderungen sind nicht gespeichert.`),
    forget: "Verwerfen",
    locked: (source) => (source === "flag" ? "Ein Schalter der Befehlszeile legt das fest." : "Eine Umgebungsvariable legt das fest."),
    hostOnly: "Das ändern nur die Konfigurationsdatei und die Befehlszeile auf dem Rechner von wildbach.",
    needsRestart: "Gilt nach dem nächsten Start.",
    atRestart: "Braucht einen Neustart.",
    reset: (text) => `Zurück zum Vorgegebenen: ${text}`,
    on: "an",
    offWord: "aus",
    empty: "nichts",
    secret: "ist gesetzt; zum Ändern schreiben",
    oneALine: "Eins je Zeile",
    from: (least) => `Mindestens ${least}.`,
    badNumber: (least, most) => `Eine Zahl${least !== undefined ? ` ab ${least}` : ""}${most !== undefined ? ` bis ${most}` : ""}.`,
    badBytes: "Etwa 700K, 1,5 MiB oder 0.",
    choices: {
      fastest: "die schnellsten", round_robin: "einer nach dem anderen", anti_leech: "wer gerade anfängt oder fast fertig ist", prefer: "zuerst versuchen", require: "nur so",
      off: "aus", either: "wie es dem anderen recht ist", rc4: "verschlüsselt", plain: "offen", auto: "selbst wählen", processes: "Prozesse", threads: "Threads", copy: "kopieren", link: "harte Verknüpfung",
      original: "wie der Torrent es sagt", subfolder: "immer ein Ordner", none: "kein Ordner", stop: "anhalten", remove: "entfernen", remove_files: "mit Dateien entfernen", super_seed: "Super-Seeding",
    } as Record<string, string>,
    sections: {
      connections: "Verbindungen", rates: "Geschwindigkeit", peers: "Peers", disk: "Platte", content: "Zwischenspeicher", trackers: "Tracker", discovery: "Gefunden werden", web_seeds: "Web-Seeds", dht: "DHT",
      network: "Weg nach draußen", filter: "IP-Filter", downloads: "Downloads", queue: "Schlange", seeding: "Verteilen", slow_mode: "Langsam-Modus", trash: "Papierkorb", leeches: "Schmarotzer",
      feeds: "Feeds", hooks: "Befehle", notify: "Benachrichtigungen", api: "Web und API", media: "Abspielen", sites: "Seiten",
      channels: "Kanäle", chain: "Kette", pay: "Zahlungen",
    } as Record<string, string>,
  },
);

const SPELLED: Record<string, string> = {
  tcp: "TCP", utp: "uTP", upnp: "UPnP", natpmp: "PCP and NAT-PMP", lsd: "Local discovery", dns: "Name servers", pex: "Peer exchange", idna: "International names",
  dns_preferences: "DNS preferences", tls_certificate: "TLS certificate", tls_key: "TLS key", most: "At most", down: "Download", up: "Upload",
};

/** Where the key alone says too little on the page. */
const NAMED: Record<string, string> = {
  "connections.listen": "Listen at", "connections.half_open": "Being made at once", "connections.new_flows": "New ones a second",
  "rates.limit_local": "In the local network, too", "peers.slot_rate": "Rate of a slot", "peers.seed_choking": "Who is served",
  "downloads.incomplete_folder": "Folder for what is incomplete", "downloads.incomplete_suffix": "Ending of what is incomplete",
  "downloads.layout": "Folder of its own", "downloads.start": "Start at once", "downloads.auto": "Folders follow categories",
  "downloads.allowed": "Allowed folders", "downloads.exclude": "Never download", "downloads.recheck": "Check at the end",
  "downloads.watch": "Watched folders", "queue.enabled": "Use the queue", "seeding.seconds": "Seeding time", "seeding.idle_seconds": "Idle time",
  "seeding.action": "At a limit", "slow_mode.scheduled": "By the clock", "trash.hours": "Keep for", "leeches.hours": "Keep out for",
  "feeds.enabled": "Read feeds", "feeds.refresh_minutes": "Look every", "feeds.auto_download": "Download by rules",
  "feeds.parallel": "At the same time", "feeds.host_seconds": "Pause for each site", "disk.reuse": "Use what is there", "content.disk_percent": "Share of the disk",
  "content.min_free": "Leave free", "content.quota": "Size", "filter.refresh_hours": "Get anew every",
  "notify.events": "Tell about", "pay.sell": "Sell upload", "pay.price": "Price", "pay.buy": "Pay seeds", "pay.most": "Highest price", "api.listen": "Listen at", "api.hosts": "Names of this page", "api.base_path": "Path below",
};

/** `upload_slots` as "Upload slots". */
function label(key: string): string {
  if (key in NAMED) return NAMED[key] ?? key;
  const name = key.split(".").at(-1) ?? key;
  const last = SPELLED[name] ?? name.replaceAll("_", " ");
  return last === "uTP" ? last : last.charAt(0).toUpperCase() + last.slice(1);
}

export function sectionLabel(name: string): string {
  return settingsWords.t.sections[name] ?? label(name);
}

/** The daemon's own words are English. */
export function sectionText(name: string, text: string): string {
  return speech.language === "de" ? (german[name]?.[1] ?? text) : text;
}

export function spokenLabel(key: string): string {
  return speech.language === "de" ? (german[key]?.[0] ?? label(key)) : label(key);
}

export function spokenText(key: string, text: string): string {
  return speech.language === "de" ? (german[key]?.[1] ?? text) : text;
}
