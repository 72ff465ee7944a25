/** The page's words, in the language that was chosen. An area's words stand in one file, all languages side by side. */

import { prefs } from "./prefs.svelte";

export const LANGUAGES = { en: "English", de: "Deutsch" } as const;
export type Language = keyof typeof LANGUAGES;

function spoken(): Language {
  for (const tag of navigator.languages ?? [navigator.language]) {
    const language = tag.slice(0, 2).toLowerCase();
    if (language in LANGUAGES) return language as Language;
  }
  return "en";
}

class Speech {
  get language(): Language {
    return prefs.language === "" ? spoken() : prefs.language;
  }
}

export const speech = new Speech();

/** The same words in another language: every key, and functions of the same parameters. */
type Spoken<English> = {
  [Key in keyof English]: English[Key] extends string ? string : English[Key] extends (...given: infer Given) => string ? (...given: Given) => string : English[Key];
};

/** What `English` says is what every other language must say. */
export function words<English extends object>(english: English, german: Spoken<English>): { readonly t: English } {
  const all: Record<Language, English> = { en: english, de: german as English };
  return {
    get t() {
      return all[speech.language];
    },
  };
}
