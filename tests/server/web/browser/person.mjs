// What all ways through the pages share: a window with its complaints, questions to the test, and two kinds of pictures.
import fs from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import readline from "node:readline";

const [, , address, pictures, executablePath] = process.argv;
const require = createRequire(path.join(process.cwd(), "package.json"));
const { chromium } = require("playwright-core");
const browser = await chromium.launch({executablePath, args: ["--no-sandbox", "--autoplay-policy=no-user-gesture-required"]});
const answers = readline.createInterface({input: process.stdin})[Symbol.asyncIterator]();
const axeSource = fs.readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
export const seen = {complaints: [], wide: [], axe: {}, shifts: {}, milliseconds: {}};
const MOST_SHIFT = 0.02;  // "good" is below 0.1

const began = Date.now();
export function lap(name) { seen.milliseconds[name] = Date.now() - began; }

// A window that has opened the first address.
export async function open(options) {
  const context = await browser.newContext({viewport: {width: 1280, height: 900}, ...options});
  await context.addInitScript(() => {
    window.shift = 0;
    window.shifted = [];
    const name = one => one.nodeName + (one.id && "#" + one.id);
    new PerformanceObserver(list => {
      for (const entry of list.getEntries()) {
        if (entry.hadRecentInput) continue;
        window.shift += entry.value;
        for (const {node, previousRect, currentRect} of entry.sources) {
          window.shifted.push(`${node && name(node)} from ${previousRect.y} to ${currentRect.y}`);
        }
      }
    }).observe({type: "layout-shift", buffered: true});
  });
  const page = await context.newPage();
  page.on("pageerror", error => seen.complaints.push("error: " + error.message));
  page.on("dialog", dialog => { seen.complaints.push("dialog: " + dialog.message()); dialog.dismiss(); });
  page.on("console", message => {
    const text = message.text();
    if (message.type() === "error" && !/status of 40[09]|Error Code 40[09]|404|^htmx:(sendAbort|afterRequest)/.test(text)) seen.complaints.push(text);
  });
  await page.goto(address);
  await page.waitForURL(/\/[^/]+\/$/);
  return {page, root: page.url().replace(/\/$/, "")};
}

// Opens a dataset, past the page that says that it is read, up to where its scripts run.
export async function openDataset(page, root, name) {
  await page.goto(root + "/datasets/" + name);
  await page.waitForFunction(() => document.readyState === "complete" && document.getElementById("words"));
}

// Goes by Tab to an element; everything that has the focus on the way must show it, and be on the screen.
export async function tabTo(page, selector, key = "Tab") {
  await page.bringToFront();
  const place = page.locator(selector).first();
  const isThere = () => place.evaluate(one => one === document.activeElement);
  for (let n = 0; n < 400; n++) {
    if (await isThere()) return;
    await page.keyboard.press(key);
    const fault = await page.evaluate(() => {
      const one = document.activeElement, style = getComputedStyle(one), box = one.getBoundingClientRect();
      if (one === document.body || one === document.documentElement) return "";
      const isSeen = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 1;
      const isOnScreen = box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth;
      return isSeen && isOnScreen ? "" : one.outerHTML.slice(0, 120);
    });
    if (fault) seen.complaints.push("no focus to be seen: " + fault);
  }
  throw new Error(`${selector} is not reached by ${key}`);
}

// Presses a key in the very moment in which a text appears, as fast hands do.
export async function pressAtOnce(page, text, key) {
  await page.evaluate(([text, key]) => new MutationObserver((changes, observer) => {
    if (!document.body.textContent.includes(text)) return;
    observer.disconnect();
    document.body.dispatchEvent(new KeyboardEvent("keydown", {key, bubbles: true, cancelable: true}));
  }).observe(document.body, {childList: true, subtree: true}), [text, key]);
}

// Asks the test for something that the agent does, and waits until it is done.
export async function ask(what) {
  process.stdout.write(what + "\n");
  return (await answers.next()).value;
}

// Serious faults of a page by axe-core.
export async function inspect(page, name) {
  await page.evaluate(axeSource);
  const found = await page.evaluate(() => axe.run());
  for (const fault of found.violations) {
    if (["serious", "critical"].includes(fault.impact)) {
      seen.axe[`${name} ${fault.id}`] = fault.nodes.map(node => node.html.slice(0, 120));
    }
  }
}

// A picture of a page; what changes from run to run is covered.
export async function picture(page, name, cover = [], fullPage = false) {
  const width = page.viewportSize().width;
  if (await page.evaluate(() => document.documentElement.scrollWidth) > width) seen.wide.push(name + " " + width);
  const shift = await page.evaluate(() => window.shift);
  if (shift > MOST_SHIFT) seen.shifts[name] = [shift, ...await page.evaluate(() => window.shifted)];
  const mask = ["#machine", ...cover].map(selector => page.locator(selector));
  await page.screenshot({path: path.join(pictures, name + ".png"), fullPage, mask, maskColor: "#888", animations: "disabled", caret: "hide"});
}

// A report as a file of its own, without a server: readable on a phone in the dark, and on a screen.
export async function readReport(file, name) {
  for (const [width, height, colorScheme] of [390, 1280].flatMap(width => ["light", "dark"].map(scheme => [width, 900, scheme]))) {
    const context = await browser.newContext({viewport: {width, height}, colorScheme});
    const page = await context.newPage();
    page.on("pageerror", error => seen.complaints.push(name + ": " + error.message));
    await page.goto("file://" + file);
    await picture(page, `report-${name}-${width}-${colorScheme}`, [], true);
    await inspect(page, `report ${name} ${width} ${colorScheme}`);
    const smallest = await page.evaluate(() => Math.min(...[...document.querySelectorAll("body *")]
      .filter(one => [...one.childNodes].some(node => node.nodeType === 3 && node.textContent.trim()))
      .map(one => parseFloat(getComputedStyle(one).fontSize))));
    const colour = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const isDark = colour.match(/\d+/g).slice(0, 3).every(part => part < 80);
    if (smallest < 12 || isDark !== (colorScheme === "dark")) seen.complaints.push(`${name}: ${smallest} px on ${colour}`);
    await context.close();
  }
}

export async function finish() {
  process.stdout.write(JSON.stringify(seen) + "\n");
  await browser.close();
}
