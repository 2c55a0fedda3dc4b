// Bundles each npm package that a page imports into build/vendor/NAME.js, one self-contained minified ES module each,
// served as static path vendor/NAME.js. Pages import these by relative URL: no bare names, no CDN.
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { build } from "esbuild";

// Output name -> what to bundle.
const ENTRIES = {
  "markdown-it": "markdown-it",
  dompurify: "dompurify",
  highlight: "highlight.js/lib/common",
  idb: "idb",
  katex: "katex",
  three: "./webapp/vendor_three.mjs",
};

const outdir = "build/vendor";
rmSync(outdir, { recursive: true, force: true });
await build({
  entryPoints: ENTRIES,
  // What markdown-it would bring along and a browser has: half of its size.
  alias: {
    entities: "./webapp/vendor_entities.mjs",
    "linkify-it": "./webapp/vendor_linkify.mjs",
    "punycode.js": "./webapp/vendor_punycode.mjs",
    "uc.micro": "./webapp/vendor_uc_micro.mjs",
  },
  outdir,
  bundle: true,
  format: "esm",
  target: "es2022",
  minify: true,
  legalComments: "eof",
  sourcemap: false,
  logLevel: "warning",
});

// The fonts of formulas and what places them; of each font its newest form alone, which every browser here reads.
const from = "node_modules/katex/dist";
mkdirSync(`${outdir}/fonts`);
for (const name of readdirSync(`${from}/fonts`)) if (name.endsWith(".woff2")) cpSync(`${from}/fonts/${name}`, `${outdir}/fonts/${name}`);
const style = readFileSync(`${from}/katex.min.css`, "utf8");
writeFileSync(`${outdir}/katex.css`, style.replace(/,url\([^)]*\.(?:woff|ttf)\) format\("[a-z]+"\)/g, ""));
