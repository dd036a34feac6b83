/* A browser, gateways to look at, and what each look has to find. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

const require = createRequire(join(process.env.METERGATE_WEB_MODULES, "package.json"));
const { chromium } = require("playwright-core");
const AXE = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

export const BINARY = process.env.METERGATE;
export const TIMEOUT = 1000 * (process.env.METERGATE_TIMEOUT || 120); /* broken, not slow */
export const PAGES = ["live", "history", "energy", "meters", "setup"];
export const LOCALES = { en: "en-GB", de: "de-DE", pl: "pl-PL" };
export const SIZES = {
  phone: { width: 360, height: 740 },
  tablet: { width: 820, height: 1180 },
  desktop: { width: 1366, height: 900 },
};

/* None of those that the system gives to whoever asks for any: nobody else has it by the time that it is used. */
export function freePort() {
  return new Promise((resolve) => {
    const look = () => {
      const port = 20000 + Math.floor(Math.random() * 10000);
      const server = createServer()
        .on("error", look)
        .listen(port, "127.0.0.1", () => server.close(() => resolve(port)));
    };
    look();
  });
}

export async function until(probe, what, ms = TIMEOUT) {
  const end = Date.now() + ms;
  for (;;) {
    const found = await probe();
    if (found) return found;
    assert.ok(Date.now() < end, `waited in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/* A run that is cut short leaves no gateway behind. */
for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"]) process.on(signal, () => process.exit(1));

/* A process of ours, ended with the test. */
export class Program {
  constructor(...args) {
    this.child = spawn(BINARY, args, { stdio: ["ignore", "ignore", "pipe"] });
    this.log = "";
    this.child.stderr.on("data", (bytes) => {
      this.log = (this.log + bytes).slice(-20000);
    });
    this.ended = new Promise((resolve) => this.child.on("exit", resolve));
    process.once("exit", () => this.child.kill());
  }

  async stop(signal = "SIGTERM") {
    this.child.kill(signal);
    await this.ended;
  }
}

export async function answers(url) {
  try {
    return (await fetch(url)).ok;
  } catch {
    return false;
  }
}

async function delivers(base, meters) {
  try {
    const health = await (await fetch(`${base}healthz`)).json();
    return health.delivering === (meters ?? health.meters) && health.history === "ready";
  } catch {
    return false;
  }
}

/* The demo with a past of so many days. */
export async function startDemo(days) {
  const base = `http://127.0.0.1:${await freePort()}/`;
  const program = new Program("demo", "--listen", new URL(base).host, "--history", `${days}d`, "--seed", "7");
  await until(() => delivers(base), "the demo", 10 * TIMEOUT);
  return { base, stop: () => program.stop("SIGINT") };
}

/* A gateway that can be stopped and started again at the same address, with a simulated meter that goes on; product:
 * a key that no profile knows. */
export async function startGateway({ http = "", interval = "1s", product = null } = {}) {
  const folder = mkdtempSync(join(tmpdir(), "metergate-web-"));
  const link = join(folder, "meter");
  const options = product ? ["--product", product] : [];
  const profile = product ? "" : " profile: pj-mgw1103,";
  const simulator = new Program(
    ...["simulate", "tuyamcu", "--link", link, "--interval", interval, "--seed", "7", ...options],
  );
  await until(() => existsSync(link), "the simulated meter");
  const base = `http://127.0.0.1:${await freePort()}/`;
  const config = join(folder, "metergate.yaml");
  mkdirSync(join(folder, "history"));
  writeFileSync(
    config,
    [
      "site: { name: Test house, timezone: Europe/Warsaw }",
      `http: { listen: ["${new URL(base).host}"]${http && `, ${http}`} }`,
      `history: { directory: ${join(folder, "history")}, size: 4MiB, flush: 1s }`,
      `meters:\n  - { id: main, name: House main, protocol: tuyamcu,${profile} port: ${link} }`,
      "",
    ].join("\n"),
  );
  const gateway = {
    base,
    folder,
    async start() {
      this.program = new Program("serve", "--config", config);
      await until(() => delivers(base, product ? 0 : undefined), "the gateway");
    },
    stop: () => gateway.program.stop(),
    async end() {
      await gateway.program.stop();
      await simulator.stop();
      rmSync(folder, { recursive: true });
    },
  };
  await gateway.start();
  return gateway;
}

/* --- the browser --- */

export async function startBrowser() {
  const path = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find(existsSync);
  return chromium.launch({
    executablePath: path,
    args: ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--enable-precise-memory-info"],
  });
}

/* A page that keeps what it said and asked for. */
export async function openPage(browser, { theme = "light", size = "desktop", language = "en" } = {}) {
  const phone = size === "phone";
  const context = await browser.newContext({
    viewport: SIZES[size],
    colorScheme: theme,
    locale: LOCALES[language],
    isMobile: phone,
    hasTouch: phone,
    timezoneId: "America/New_York",
  });
  const page = await context.newPage();
  const said = [];
  const asked = [];
  page.on("console", (message) => said.push(`${message.type()}: ${message.text()}`));
  page.on("pageerror", (error) => said.push(`exception: ${error.stack ?? error}`));
  page.on("request", (request) => asked.push(request.url()));
  page.setDefaultTimeout(TIMEOUT);
  return { page, said, asked, context };
}

/* The page is there with its content, and nothing more is on its way. */
const READY = {
  live: ".meter .value",
  history: ".chart[data-ready][aria-busy=false] canvas",
  energy: ".bars .bar",
  meters: ".facts dd",
  setup: "#home-assistant + button, pre",
};

export async function show(page, base, hash) {
  const name = hash.slice(1).split("?")[0];
  await page.goto(base + hash);
  await page.locator(`main[data-page=${name}] ${READY[name]}`).first().waitFor();
  return name;
}

/* WCAG 2.2 AA by axe, which has to find nothing, and nothing to scroll sideways for. */
export async function inspect(page) {
  await page.evaluate(AXE);
  const violations = await page.evaluate(async () => {
    const { violations: found } = await globalThis.axe.run(document, {
      runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
      resultTypes: ["violations"],
    });
    return found.map(
      ({ id, nodes }) =>
        `${id}: ${nodes
          .slice(0, 3)
          .map((n) => `${n.html.slice(0, 160)} (${n.failureSummary})`)
          .join(" | ")}`,
    );
  });
  assert.deepEqual(violations, []);
  const [wide, room] = await page.evaluate(() => [
    document.documentElement.scrollWidth,
    document.documentElement.clientWidth,
  ]);
  assert.ok(wide <= room, `the page is ${wide} px wide and has ${room}`);
}
