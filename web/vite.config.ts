import { copyFileSync, mkdirSync } from "node:fs";
import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig, type Plugin, type ProxyOptions } from "vite";

const OUT = "../src/wildbach/interfaces/web/dist";

/** The daemon reads the countries of peers from this file; browsers never ask for it. */
function countries(): Plugin {
  return {
    name: "countries",
    apply: "build",
    closeBundle() {
      mkdirSync(OUT, { recursive: true });
      copyFileSync("node_modules/@ip-location-db/geo-whois-asn-country-mmdb/geo-whois-asn-country.mmdb", `${OUT}/countries.mmdb`);
    },
  };
}

/** The daemon answers no page of another origin, so this says what it wants to hear. */
function daemon(target: string): ProxyOptions {
  return {
    target,
    ws: true,
    changeOrigin: true,
    configure: (proxy) => {
      proxy.on("proxyReq", (request) => request.setHeader("Origin", target));
      proxy.on("proxyReqWs", (request) => request.setHeader("Origin", target));
    },
  };
}

export default defineConfig(({ mode }) => ({
  // Relative, so that it works below any path that a reverse proxy gives it.
  base: "./",
  plugins: [svelte(), countries()],
  resolve: mode === "test" ? { conditions: ["browser"] } : {},
  build: {
    outDir: OUT,
    emptyOutDir: true,
    target: "es2022",
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
    reportCompressedSize: true,
  },
  server: { host: "127.0.0.1", proxy: { "/api": daemon(process.env["WILDBACH_URL"] ?? "http://127.0.0.1:8080") } },
  test: { include: ["src/**/*.test.ts"], environment: "jsdom" },
}));
