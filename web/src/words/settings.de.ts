/** The settings in German: name and meaning of each key, and of each section. */
export const german: Record<string, readonly [string, string]> = {};
