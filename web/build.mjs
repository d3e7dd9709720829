// Bundles the page's script and style, with the licences of what they hold, into ../rasft/page/bundle.
// The same sources give the same bytes. `node build.mjs FOLDER` writes elsewhere.
import { build } from "esbuild";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";

const target = process.argv[2] ?? join(import.meta.dirname, "..", "rasft", "page", "bundle");
const { dependencies } = JSON.parse(await readFile(join(import.meta.dirname, "package.json"), "utf8"));

const done = await build({
  absWorkingDir: import.meta.dirname,
  entryPoints: { page: "src/main.js" },
  bundle: true,
  minify: true,
  charset: "ascii", // the digest in the page's policy is of these very bytes
  format: "iife",
  target: ["chrome103", "firefox115", "safari16.4"], // that open compressed data
  legalComments: "none", // they are in LICENCES.txt
  loader: { ".woff2": "dataurl", ".woff": "empty", ".ttf": "empty" },
  outdir: target,
  write: false,
});

await mkdir(target, { recursive: true });
for (const { path, text } of done.outputFiles) await writeFile(path, text.trim());
await writeFile(join(target, "LICENCES.txt"), await licences());

async function licences() {
  const parts = [];
  for (const name of Object.keys(dependencies).sort()) {
    const text = await readFile(join(import.meta.dirname, "node_modules", name, "LICENSE"), "utf8");
    parts.push(`${name} ${dependencies[name]}\n\n${text.replaceAll("\r\n", "\n").trim()}\n`);
  }
  return parts.join("\n" + "-".repeat(79) + "\n\n");
}
