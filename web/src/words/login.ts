import { words } from "../lib/words.svelte";

export const loginWords = words(
  {
    user: "User",
    password: "Password",
    logIn: "Log in",
    forgotten: "Forgotten? On the machine of wildbach, `wildbach password` sets another.",
    nobodyYet: "Nobody may look yet: open the link that was shown when wildbach started.",
    openAnother: "It is good once. This command, on the same machine, makes another:",
  },
  {
    user: "Benutzer",
    password: "Passwort",
    logIn: "Anmelden",
    forgotten: "Vergessen? Auf dem Rechner von wildbach setzt `wildbach password` ein anderes.",
    nobodyYet: "Noch darf niemand herein: Öffnen Sie den Link, der beim Start von wildbach gezeigt wurde.",
    openAnother: "Er gilt einmal. Dieser Befehl, auf demselben Rechner, macht einen neuen:",
  },
);
