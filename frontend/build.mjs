// Bundles what the pages need into app/web/static. No page loads anything from elsewhere.
import { build } from "esbuild";
import { copyFile, readFile } from "node:fs/promises";

const OUT = process.env.EXCHANGE_STATIC ?? "../app/web/static";

// Pico makes buttons of links by `role="button"`, which tells those who hear a page something untrue.
const buttonsByClass = {
  name: "buttons-by-class",
  setup(build) {
    build.onLoad({ filter: /pico\.css$/ }, async ({ path }) => ({
      contents: (await readFile(path, "utf8")).replaceAll("[role=button]", ".button"),
      loader: "css",
    }));
  },
};

await build({
  entryPoints: {
    app: "src/app.js", // on every page
    upload: "src/upload.js", // the page that uploads
    progress: "src/progress.js", // the page that follows a distillation
    styles: "src/app.css",
  },
  entryNames: "[name]",
  outdir: OUT,
  bundle: true,
  minify: true,
  format: "iife",
  target: ["es2020"],
  legalComments: "inline",
  plugins: [buttonsByClass],
  charset: "utf8",
});
await copyFile("src/icon.svg", `${OUT}/icon.svg`);
