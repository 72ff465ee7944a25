/** Categories, as a tree. */

import type { Model } from "./api";

export interface Branch {
  name: string;
  /** The last part of it. */
  label: string;
  depth: number;
  category: Model<"Category">;
}

/** Each after the one above it. */
export function branches(categories: readonly Model<"Category">[]): Branch[] {
  return [...categories]
    .map((category) => ({ category, parts: category.name.split("/") }))
    .sort((a, b) => compare(a.parts, b.parts))
    .map(({ category, parts }) => ({ name: category.name, label: parts.at(-1) ?? "", depth: parts.length - 1, category }));
}

function compare(a: readonly string[], b: readonly string[]): number {
  for (const [at, part] of a.entries()) {
    const other = b[at];
    if (other === undefined) return 1;
    const order = part.localeCompare(other, undefined, { numeric: true });
    if (order) return order;
  }
  return a.length - b.length;
}

/** Where torrents of a category go; an empty name: none. The category may be new. */
export function folderOf(categories: readonly Model<"Category">[], name: string, usual: string): string {
  if (!name) return usual;
  const own = categories.find((one) => one.name === name)?.save_path;
  if (own) return own;
  const cut = name.lastIndexOf("/");
  const upper = folderOf(categories, cut < 0 ? "" : name.slice(0, cut), usual);
  return upper && `${upper.replace(/\/$/, "")}/${name.slice(cut + 1)}`;
}
