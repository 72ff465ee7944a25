/** A rule as its form shows it, and as the daemon keeps it: in qBittorrent's fields, of which those that the form does not know stay. */

import * as format from "../../lib/format";

export interface RuleForm {
  name: string;
  enabled: boolean;
  contains: string;
  notContains: string;
  regex: boolean;
  episodes: string;
  smart: boolean;
  allFeeds: boolean;
  feeds: string[];
  ignoreDays: number;
  category: string;
  folder: string;
  stopped: boolean;
  minSize: string;
  maxSize: string;
}

type Json = Record<string, unknown>;

const text = (value: unknown): string => (typeof value === "string" ? value : "");
const whole = (value: unknown): number => (typeof value === "number" ? value : 0);
const object = (value: unknown): Json => (typeof value === "object" && value !== null ? (value as Json) : {});
const sized = (value: unknown): string => (whole(value) > 0 ? format.size(whole(value)).replace("\u00a0", " ") : "");

export function formOf(name: string, rule: Json): RuleForm {
  const params = object(rule["torrentParams"]);
  const ours = object(rule["wildbach"]);
  return {
    name,
    enabled: rule["enabled"] !== false,
    contains: text(rule["mustContain"]),
    notContains: text(rule["mustNotContain"]),
    regex: rule["useRegex"] === true,
    episodes: text(rule["episodeFilter"]),
    smart: rule["smartFilter"] === true,
    allFeeds: ours["allFeeds"] === true,
    feeds: Array.isArray(rule["affectedFeeds"]) ? (rule["affectedFeeds"] as string[]) : [],
    ignoreDays: whole(rule["ignoreDays"]),
    category: text(params["category"]),
    folder: text(params["save_path"]),
    stopped: params["stopped"] === true,
    minSize: sized(ours["minSize"]),
    maxSize: sized(ours["maxSize"]),
  };
}

export function ruleOf(form: RuleForm, before: Json): Json {
  const params = { ...object(before["torrentParams"]) };
  const put = (key: string, value: unknown): void => {
    if (value === "" || value === false) delete params[key];
    else params[key] = value;
  };
  put("category", form.category);
  put("save_path", form.folder);
  put("stopped", form.stopped);
  return {
    ...before,
    enabled: form.enabled,
    mustContain: form.contains,
    mustNotContain: form.notContains,
    useRegex: form.regex,
    episodeFilter: form.episodes,
    smartFilter: form.smart,
    affectedFeeds: form.feeds,
    ignoreDays: form.ignoreDays,
    torrentParams: params,
    // Older fields say the same once more; they must not say something else.
    assignedCategory: form.category,
    savePath: form.folder,
    addPaused: form.stopped ? true : null,
    wildbach: { allFeeds: form.allFeeds, minSize: format.bytes(form.minSize) ?? 0, maxSize: format.bytes(form.maxSize) ?? 0 },
  };
}
