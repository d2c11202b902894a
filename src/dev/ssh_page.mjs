/**
 * How the page with a terminal is built: ssh2 as it is published, by aliases, as docs/recipes/page.md says. It is a bundle of its
 * own, so that the page before it loads nothing of that.
 */
import { inRoot, listFolder, readText } from "./common.mjs";

const ABSENT = inRoot("web/ssh/node/absent.ts");

/** Where the names of Node's modules lead. */
const MODULES = {
  "net": inRoot("src/api/node/net.ts"),
  "dns": inRoot("src/api/node/dns.ts"),
  "tls": inRoot("src/api/node/tls.ts"),
  "stream": "readable-stream",
  "buffer": "buffer",
  "events": "events",
  "util": "util",
  "util/types": "util/support/types.js",
  "assert": "assert",
  "path": "path-browserify",
  "string_decoder": "string_decoder",
  "crypto": inRoot("web/ssh/node/crypto.ts"),
  "fs": ABSENT,
  "http": ABSENT,
  "https": ABSENT,
  "zlib": ABSENT,
  "child_process": ABSENT,
  "cpu-features": ABSENT,
};

/** ssh2 fetches a module that it has as text, which the page's policy forbids; where that fails it decodes it itself. */
const FAILING_FETCH = "const fetch = () => Promise.reject();";
const WITHOUT_FETCH = {
  name: "without-fetch",
  setup(build) {
    const filter = /ssh2[\\/]lib[\\/]protocol[\\/]crypto[\\/]poly1305\.js$/;
    build.onLoad({ filter }, ({ path }) => ({ contents: `${FAILING_FETCH}\n${readText(path)}` }));
  },
};

/** What the page has beside its script, below `dist/web`. */
export const SSH_FILES = { "ssh/xterm.css": "node_modules/@xterm/xterm/css/xterm.css" };
export const SSH_LICENSES = "ssh/licenses.txt";

/**
 * Options of esbuild.
 *
 * @param common What all bundles have in common.
 * @param plugin What the pages have in common.
 */
export function sshPageBuild(common, plugin) {
  const aliases = Object.entries(MODULES).flatMap((
    [name, to],
  ) => [[name, to], [`node:${name}`, to]]);
  return {
    ...common,
    entryPoints: { "ssh/main": inRoot("web/ssh/main.ts") },
    plugins: [plugin, WITHOUT_FETCH],
    outdir: inRoot("dist", "web"),
    platform: "browser",
    minify: true,
    sourcemap: false,
    alias: Object.fromEntries(aliases),
    // Where there is a compiler, ssh2 has a binary; without it it does the same in JavaScript.
    external: ["*.node"],
    inject: [inRoot("web/ssh/node/globals.ts")],
    define: { global: "globalThis", __dirname: '"/"' },
    metafile: true,
  };
}

/** The licences of all packages that a bundle has code of. */
export function licensesOf({ inputs }) {
  const folders = Object.keys(inputs).map((path) =>
    /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+(?=\/)/.exec(path)?.[0]
  );
  const packages = [...new Set(folders)].filter((folder) => folder !== undefined).sort();
  return packages.map(licenseOf).join(`\n${"-".repeat(72)}\n\n`);
}

function licenseOf(folder) {
  const { name, version, license } = JSON.parse(readText(inRoot(folder, "package.json")));
  const file = listFolder(inRoot(folder)).find((name) => /^(licen[cs]e|copying)/i.test(name));
  const text = file === undefined ? "" : `\n\n${readText(inRoot(folder, file)).trim()}`;
  return `${name} ${version}: ${license}${text}\n`;
}
