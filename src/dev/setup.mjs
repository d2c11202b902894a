/**
 * Makes a clone ready: packages from the lock files and, with `--tests`, the programs that some tests use.
 *
 * Run again it changes nothing and says nothing.
 */
import process from "node:process";
import {
  digest,
  fail,
  inRoot,
  IS_CI,
  IS_DENO,
  note,
  readText,
  replaceFile,
  run,
  which,
  withLock,
} from "./common.mjs";

/** Says which lock files the installed packages come from. */
const STAMP = inRoot("node_modules", ".tidewire_stamp");

/** Programs of the system: what they are called, who packs them, and what is left out without them. */
const SYSTEM = [
  {
    programs: ["chromium", "chromium-browser", "google-chrome"],
    pkg: "chromium",
    loss: "browser tests",
  },
  {
    programs: ["firefox-esr", "firefox"],
    pkg: "firefox-esr",
    loss: "the socket matrix in Firefox",
  },
  { programs: ["ip"], pkg: "iproute2", loss: "interop tests (network namespaces)" },
  { programs: ["nft"], pkg: "nftables", loss: "interop tests with packet loss" },
  { programs: ["tshark"], pkg: "tshark", loss: "tests that compare with a dissector" },
  { programs: ["curl"], pkg: "curl", loss: "interop tests with curl" },
  { programs: ["ethtool"], pkg: "ethtool", loss: "interop tests of offloads" },
  { programs: ["sysctl"], pkg: "procps", loss: "interop tests" },
  { programs: ["ping"], pkg: "iputils-ping", loss: "interop tests with ping" },
  { programs: ["dnsmasq"], pkg: "dnsmasq-base", loss: "interop tests of names" },
  // The server itself is not on the PATH; what starts it is.
  { programs: ["pg_ctlcluster"], pkg: "postgresql", loss: "the recipe of pg" },
  { programs: ["redis-server"], pkg: "redis-server", loss: "the recipe of ioredis" },
  { programs: ["sshd"], pkg: "openssh-server", loss: "the recipe of ssh2" },
];

function wantedStamp() {
  const manifest = JSON.parse(readText(inRoot("package.json")));
  const { dependencies, optionalDependencies, devDependencies } = manifest;
  return digest(
    JSON.stringify([dependencies, optionalDependencies, devDependencies]),
    readText(inRoot("package-lock.json")) ?? "",
    readText(inRoot("deno.lock")) ?? "",
  );
}

/** Whether a person has run `npm ci` or `npm install` already: npm leaves a copy of the lock file behind. */
function matchesNpmInstall() {
  const installed = readText(inRoot("node_modules", ".package-lock.json"));
  const locked = readText(inRoot("package-lock.json"));
  if (installed === undefined || locked === undefined) return false;
  const have = JSON.parse(installed).packages;
  for (const [path, wanted] of Object.entries(JSON.parse(locked).packages)) {
    if (path === "") continue;
    const got = have[path];
    if (got === undefined ? !wanted.optional : got.version !== wanted.version) return false;
  }
  return true;
}

function installCommand() {
  // The runtime that was chosen installs, so that its own lock file and its own arrangement are used.
  const npm = which("npm");
  if (npm !== undefined && (!IS_DENO || which("node") !== undefined)) {
    return [npm, "ci", "--no-audit", "--no-fund"];
  }
  const deno = IS_DENO ? process.execPath : which("deno");
  if (deno === undefined) fail("Cannot install packages: neither npm nor deno is on the PATH");
  return [deno, "install", "--frozen"];
}

async function installPackages() {
  const wanted = wantedStamp();
  if (readText(STAMP) === wanted) return;
  await withLock("setup", async () => {
    if (readText(STAMP) === wanted) return; // Another process did it while we waited.
    if (!matchesNpmInstall()) {
      const command = installCommand();
      note("setup: installing packages from the lock file");
      // `prepare` would build here; whoever called us builds next.
      const { code } = await run(command, { stdout: "stderr", env: { TIDEWIRE_SETUP: "1" } });
      if (code !== 0) fail(`Cannot install packages: "${command.join(" ")}" ended with ${code}`);
    }
    replaceFile(STAMP, wanted);
  });
}

function missingTools() {
  const chosenBrowser = process.env.TIDEWIRE_CHROMIUM ?? "";
  return SYSTEM.filter(({ programs, pkg }) => {
    if (pkg === "chromium" && chosenBrowser !== "") return which(chosenBrowser) === undefined;
    return programs.every((program) => which(program) === undefined);
  });
}

async function installTools() {
  let missing = missingTools();
  if (missing.length === 0) return;
  const isRoot = process.getuid?.() === 0;
  if (isRoot && which("apt-get") !== undefined) {
    const names = missing.map(({ pkg }) => pkg);
    note(`setup: installing ${names.join(", ")}`);
    // tshark asks whether users may capture; nobody is there to answer.
    const options = { stdout: "stderr", env: { DEBIAN_FRONTEND: "noninteractive" } };
    await run(["apt-get", "update", "-q"], options);
    await run(["apt-get", "install", "-y", "-q", "--no-install-recommends", ...names], options);
    missing = missingTools();
  }
  for (const { pkg, loss } of missing) {
    note(`setup: without ${pkg} these do not run: ${loss}; to install it: ${hint(pkg)}`);
  }
  if (missing.length > 0 && IS_CI) fail("Cannot run all tests: programs are missing and CI=true");
}

function hint(pkg) {
  if (process.platform === "linux") return `sudo apt-get install -y ${pkg}`;
  if (process.platform === "darwin" && (pkg === "iproute2" || pkg === "nftables")) {
    return "run the tests on Linux";
  }
  if (process.platform === "darwin") return `brew install ${pkg === "tshark" ? "wireshark" : pkg}`;
  return `install ${pkg} and put it on the PATH`;
}

await installPackages();
if (process.argv.includes("--tests")) await installTools();
