// Builds the scripts of the pages into the package, with the licences of what they hold.
import { readFileSync, writeFileSync } from "node:fs";
import { defineConfig } from "vite";

const folder = "../src/blemish/service/pages/static/built";
const held: [string, string][] = [["htmx.org", "LICENSE"], ["uplot", "LICENSE"], ["openseadragon", "LICENSE.txt"]];

export default defineConfig({
  base: "/static/built/",
  build: {
    outDir: folder,
    emptyOutDir: true,
    target: "es2022",
    modulePreload: { polyfill: false },
    rollupOptions: {
      input: "src/page.ts",
      output: { entryFileNames: "page.js", chunkFileNames: "[name]-[hash].js", assetFileNames: "[name]-[hash][extname]" },
    },
  },
  plugins: [
    {
      name: "licences",
      closeBundle() {
        const texts = held.map(([name, file]) => `${name}\n\n${readFileSync(`node_modules/${name}/${file}`, "utf8")}`);
        writeFileSync(`${folder}/LICENCES.txt`, texts.join("\n\n"));
      },
    },
  ],
});
