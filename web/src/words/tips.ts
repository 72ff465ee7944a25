import { words } from "../lib/words.svelte";

export const tipWords = words(
  {
    tip: "Tip …",
    tipFor: (whom: string) => `Tip ${whom} …`,
    payout: "Tips go to",
    changed: "Its address for tips changed",
    payoutNew: (now: string, was: string) => `Its address for tips changed from ${was} to ${now}. A thief of its key would do that. Ask its author in another way.`,
    payoutGone: (was: string) => `It names no address for tips any more. Before, it named ${was}.`,
    payoutSeen: "The new address is right",
    goneSeen: "Forget the old one",
    noWallet: "There is no wallet yet, and a tip comes from one.",
    watched: "The wallet here only looks at an address: it cannot send. A tip comes from one that has its key.",
    toWallet: "To the wallet",
  },
  {
    tip: "Trinkgeld …",
    tipFor: (whom) => `Trinkgeld für ${whom} …`,
    payout: "Trinkgeld geht an",
    changed: "Die Adresse für Trinkgeld ist neu",
    payoutNew: (now, was) => `Die Adresse für Trinkgeld wechselte von ${was} zu ${now}. Das täte auch ein Dieb des Schlüssels. Fragen Sie auf anderem Weg nach.`,
    payoutGone: (was) => `Es wird keine Adresse für Trinkgeld mehr genannt. Vorher war es ${was}.`,
    payoutSeen: "Die neue Adresse stimmt",
    goneSeen: "Die alte vergessen",
    noWallet: "Es gibt noch keine Geldbörse, und Trinkgeld kommt aus einer.",
    watched: "Die Geldbörse hier sieht eine Adresse nur an: Sie kann nichts senden. Trinkgeld kommt aus einer mit Schlüssel.",
    toWallet: "Zur Geldbörse",
  },
);
