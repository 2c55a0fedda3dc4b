// Bundles each npm package that a page imports into build/vendor/NAME.js, one self-contained minified ES module each,
// served as static path vendor/NAME.js. Pages import these by relative URL: no bare names, no CDN.
import { rmSync } from "node:fs";
import { build } from "esbuild";

// Output name -> what to bundle.
const ENTRIES = {
  "markdown-it": "markdown-it",
  dompurify: "dompurify",
  idb: "idb",
};

const outdir = "build/vendor";
rmSync(outdir, { recursive: true, force: true });
await build({
  entryPoints: ENTRIES,
  outdir,
  bundle: true,
  format: "esm",
  target: "es2022",
  minify: true,
  legalComments: "eof",
  sourcemap: false,
  logLevel: "warning",
});
