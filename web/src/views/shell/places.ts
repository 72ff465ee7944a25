/** The pages of the whole, as menus and the bar of a phone show them. */

import type { IconName } from "../../ui/Icon.svelte";
import { common } from "../../words/common";
import { libraryWords } from "../../words/library";
import { pages } from "../pages";

export interface Place {
  page: string;
  icon: IconName;
  label: () => string;
  /** Guests see it too. */
  guest: boolean;
}

const PLACES: readonly Place[] = [
  { page: "", icon: "list", label: () => common.t.torrents, guest: true },
  { page: "feeds", icon: "feed", label: () => common.t.feeds, guest: true },
  { page: "channels", icon: "feed", label: () => common.t.channels, guest: true },
  { page: "sites", icon: "globe", label: () => common.t.sites, guest: true },
  { page: "sync", icon: "sync", label: () => common.t.sync, guest: true },
  { page: "library", icon: "play", label: () => libraryWords.t.title, guest: true },
  { page: "wallet", icon: "wallet", label: () => common.t.wallet, guest: false },
  { page: "earn", icon: "coin", label: () => common.t.earn, guest: false },
  { page: "groups", icon: "tag", label: () => common.t.groups, guest: false },
  { page: "statistics", icon: "chart", label: () => common.t.statistics, guest: true },
  { page: "trash", icon: "trash", label: () => common.t.trash, guest: true },
  { page: "log", icon: "log", label: () => common.t.log, guest: false },
  { page: "settings", icon: "settings", label: () => common.t.settings, guest: false },
  { page: "access", icon: "lock", label: () => common.t.access, guest: false },
];

export function places(user: boolean): Place[] {
  return PLACES.filter((place) => (place.page === "" || place.page in pages) && (user || place.guest));
}
