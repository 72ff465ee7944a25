/** The settings as a form: what the daemon's schema says of each, and how a value is written and read. */

import * as format from "../../lib/format";

export interface Schema {
  type: "boolean" | "integer" | "number" | "string" | "array";
  enum?: string[];
  default: unknown;
  description: string;
  minimum?: number;
  maximum?: number;
  "x-live"?: boolean;
  "x-unit"?: string;
}

export interface Field {
  key: string;
  section: string;
  schema: Schema;
  kind: "switch" | "choice" | "number" | "bytes" | "text" | "lines" | "time" | "days" | "folder";
}

export interface Section {
  name: string;
  description: string;
  fields: Field[];
}

const BYTES = /^(rates\.(down|up)|slow_mode\.(down|up)|queue\.slow_(down|up)|peers\.slot_rate|disk\.memory|dht\.upload_rate)$/;
const FOLDERS = new Set(["downloads.folder", "downloads.incomplete_folder"]);

function kindOf(key: string, schema: Schema): Field["kind"] {
  if (schema.type === "boolean") return "switch";
  if (schema.enum) return "choice";
  if (BYTES.test(key)) return "bytes";
  if (key === "slow_mode.days") return "days";
  if (schema.type === "array") return "lines";
  if (schema.type === "integer" || schema.type === "number") return "number";
  if (/^slow_mode\.(start|end)$/.test(key)) return "time";
  return FOLDERS.has(key) ? "folder" : "text";
}

interface Branch {
  description?: string;
  properties: Record<string, Schema>;
}

/** What people look for comes first; what is not here comes after. */
const ORDER = ["downloads", "rates", "slow_mode", "queue", "seeding", "connections", "network", "feeds", "notify", "trash", "discovery", "peers", "dht", "trackers", "filter", "leeches", "web_seeds", "disk", "content", "media", "api"];

function rank(name: string): number {
  const at = ORDER.indexOf(name);
  return at < 0 ? ORDER.length : at;
}

/** Those whose values are shown; the others are the host's alone. */
export function sectionsOf(schema: Record<string, unknown>, values: Record<string, unknown>): Section[] {
  const branches = (schema["properties"] ?? {}) as Record<string, Branch>;
  return Object.entries(branches)
    .map(([name, branch]) => ({
      name,
      description: branch.description ?? "",
      fields: Object.entries(branch.properties)
        .map(([last, one]) => ({ key: `${name}.${last}`, section: name, schema: one, kind: kindOf(`${name}.${last}`, one) }))
        .filter((field) => field.key in values),
    }))
    .filter((section) => section.fields.length > 0)
    .sort((a, b) => rank(a.name) - rank(b.name));
}

/** A value as it stands in a text field. */
export function written(field: Field, value: unknown): string {
  if (field.kind === "lines") return (value as string[]).join("\n");
  if (field.kind === "bytes") {
    const bytes = value as number;
    return bytes === 0 ? "0" : format.size(bytes).replace("\u00a0", " ");
  }
  return value === null || value === undefined ? "" : String(value);
}

/** What a text means; undefined: nothing that can be. */
export function read(field: Field, text: string): unknown {
  if (field.kind === "lines") return text.split("\n").map((line) => line.trim()).filter(Boolean);
  if (field.kind === "bytes") return format.bytes(text) ?? undefined;
  if (field.kind === "number") {
    const value = Number(text.replace(",", "."));
    const { minimum = -Infinity, maximum = Infinity } = field.schema;
    const whole = field.schema.type === "number" || Number.isInteger(value);
    return text.trim() !== "" && Number.isFinite(value) && whole && value >= minimum && value <= maximum ? value : undefined;
  }
  return text;
}

export function same(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
