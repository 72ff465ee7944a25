/** What is not there at once: it comes when it is first looked at. */

import type { Component } from "svelte";

export type Loaded = () => Promise<{ default: Component }>;

/** By the first part of the address. */
export const pages = {
  login: () => import("./Login.svelte"),
  feeds: () => import("./feeds/Feeds.svelte"),
  sites: () => import("./Sites.svelte"),
  channels: () => import("./channels/Channels.svelte"),
  sync: () => import("./sync/Sync.svelte"),
  wallet: () => import("./wallet/Wallet.svelte"),
  earn: () => import("./earn/Earn.svelte"),
  library: () => import("./library/Library.svelte"),
  groups: () => import("./Groups.svelte"),
  statistics: () => import("./Statistics.svelte"),
  trash: () => import("./Trash.svelte"),
  log: () => import("./Log.svelte"),
  settings: () => import("./settings/Settings.svelte"),
  access: () => import("./Access.svelte"),
  play: () => import("./play/Play.svelte"),
} satisfies Record<string, Loaded>;

export const dialogs = {
  login: () => import("./Login.svelte"),
  welcome: () => import("./Welcome.svelte"),
  add: () => import("./add/AddDialog.svelte"),
  remove: () => import("./list/RemoveDialog.svelte"),
  move: () => import("./list/MoveDialog.svelte"),
  rename: () => import("./list/RenameDialog.svelte"),
  category: () => import("./list/CategoryDialog.svelte"),
  tags: () => import("./list/TagsDialog.svelte"),
  limits: () => import("./list/LimitsDialog.svelte"),
  keyboard: () => import("./shell/Keyboard.svelte"),
};
