/** TypeScript in components is only types, which Svelte takes out by itself. */
export default {
  compilerOptions: { runes: true },
};
