// Looks at a page of `jitctl report --html` as a browser shows it: in light, in dark, at 400 pixels and on paper.
// Usage: node check.mjs PAGE PICTURES, with axe-core and playwright-core installed beside it and Debian's chromium.
// Fails if axe-core finds anything, if anything is fetched, run or logged, if the page is wider than its window, or if what
// scrolls cannot be reached by keyboard.
import { createRequire } from "node:module";
import { mkdirSync } from "node:fs";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";

const require = createRequire(resolve("package.json"));
const { chromium } = require("playwright-core");
const axe = require.resolve("axe-core/axe.min.js");

const [page, pictures] = process.argv.slice(2);
const url = pathToFileURL(page).href;
mkdirSync(pictures, { recursive: true });
let faults = 0;
const fault = (what) => { faults += 1; console.error(`page: ${what}`); };

const browser = await chromium.launch({
    executablePath: "/usr/bin/chromium",
    args: ["--headless", "--no-sandbox", "--disable-gpu"],
});
const LOOKS = {
    light: { colorScheme: "light", viewport: { width: 1280, height: 900 } },
    dark: { colorScheme: "dark", viewport: { width: 1280, height: 900 } },
    narrow: { colorScheme: "light", viewport: { width: 400, height: 800 } },
    narrowdark: { colorScheme: "dark", viewport: { width: 400, height: 800 } },
    paper: { colorScheme: "dark", viewport: { width: 1280, height: 900 }, media: "print" },
};
for (const [name, { media, ...look }] of Object.entries(LOOKS)) {
    // As a reader has it: no script of the page's runs whatever axe-core does, since the policy in the page forbids it.
    const context = await browser.newContext({ ...look, bypassCSP: false });
    const tab = await context.newPage();
    tab.on("request", (request) => request.url() === url || fault(`${name}: fetches ${request.url()}`));
    tab.on("console", (message) => fault(`${name}: logs ${message.text()}`));
    tab.on("dialog", (dialog) => { fault(`${name}: opens ${dialog.message()}`); dialog.dismiss(); });
    await tab.goto(url);
    if (media) await tab.emulateMedia({ media });
    await tab.screenshot({ path: `${pictures}/${name}.png`, fullPage: true });
    const [wide, window] = await tab.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
    if (wide > window) fault(`${name}: is ${wide} pixels wide in a window of ${window}`);

    // What scrolls sideways, and every link, is reached by Tab, in the order in which it stands.
    if (name === "light" || name === "narrow") {
        const wanted = await tab.locator("a[href], [tabindex='0']").count();
        const reached = new Set();
        for (let presses = 0; presses < wanted + 2; presses += 1) {
            await tab.keyboard.press("Tab");
            reached.add(await tab.evaluate(() =>
                [...document.querySelectorAll("*")].indexOf(document.activeElement)));
        }
        if (reached.size < wanted) fault(`${name}: Tab reaches ${reached.size} of ${wanted}`);
    }
    if (name === "light") await tab.pdf({ path: `${pictures}/paper.pdf`, preferCSSPageSize: true });
    await context.close();

    // axe-core is a script, so that the page's own policy is set aside for it, in a tab of its own.
    const judge = await browser.newContext({ ...look, bypassCSP: true });
    const other = await judge.newPage();
    await other.goto(url);
    if (media) await other.emulateMedia({ media });
    await other.addScriptTag({ path: axe });
    const { violations, passes } = await other.evaluate(() => window.axe.run(document, {
        runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    }));
    if (passes.length < 10) fault(`${name}: axe-core tried ${passes.length} rules`);
    for (const { id, help, nodes } of violations) {
        for (const node of nodes.slice(0, 5)) fault(`${name}: ${id}: ${help}: ${node.html.slice(0, 200)}`);
    }
    console.log(`page: ${name}: ${passes.length} rules of axe-core hold, ${violations.length} do not`);
    await judge.close();
}
await browser.close();
process.exit(faults === 0 ? 0 : 1);
