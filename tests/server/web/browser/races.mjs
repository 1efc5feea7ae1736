// What happens when answers are slow, come in another order, or come while a person types: node races.mjs FIRST_ADDRESS PICTURES CHROMIUM
import { ask, finish, open, openDataset, seen } from "./person.mjs";

const {page, root} = await open({});
page.setDefaultTimeout(10000);

// Holds the answers to requests of an address back until they are let go; the requests are served at once.
async function hold(part) {
  let arrived, release;
  const held = {};
  const came = new Promise(resolve => { arrived = resolve; });
  const late = new Promise((_, reject) => setTimeout(() => reject(new Error("no request of " + part)), 10000).unref());
  late.catch(() => {});
  held.came = Promise.race([came, late]);
  held.came.catch(() => {});
  const gate = new Promise(resolve => { release = resolve; });
  const isWanted = url => url.pathname.includes(part) || url.href.includes(part);
  await page.route(isWanted, async route => {
    const response = await route.fetch().catch(() => null);
    arrived();
    await gate;
    if (response) await route.fulfill({response}).catch(() => {});
  });
  held.let = async () => { release(); await page.unroute(isWanted); };
  return held;
}
const shown = () => page.evaluate(() => document.getElementById("correction")?.dataset.row);
const chosen = () => page.evaluate(() => [...document.querySelectorAll("#clips tr[aria-selected=true]")].map(row => row.id));
const panelOf = number => page.waitForSelector(`form[data-row=clip-${number}]`);
const focused = () => page.evaluate(() => document.activeElement.id || document.activeElement.className || document.activeElement.tagName);

// The first clip's panel is slow; the next one is shown, and stays.
await openDataset(page, root, "anna");
let held = await hold("0.000-4.000");
await page.keyboard.press("j");
await held.came;
await page.keyboard.press("j");
await panelOf(1);
await held.let();
await page.evaluate(() => fetch(location.href));  // a further answer: that of the first clip has come before it
seen.afterSlowPanel = [await shown(), ...await chosen()];

// A key that is pressed before the panel of its clip is there acts on that clip, not on the one before.
held = await hold("10.000-14.000");
await page.keyboard.press("j");
await held.came;
await page.keyboard.press("d");
await held.let();
await page.waitForSelector("text=1 not applied yet");
await panelOf(2);
seen.dropped = await page.evaluate(() => [...document.querySelectorAll("#clips tr.out")].map(row => row.id));

// Keys that are pressed while a correction is stored act afterwards, in their order: take it back, next, edit.
held = await hold("/correct");
await page.keyboard.press("r");
await held.came;
for (const key of ["d", "j", "e"]) await page.keyboard.press(key);
await held.let();
await page.waitForFunction(() => document.activeElement.id === "text");
seen.afterKeys = [await shown(), await focused(), ...await chosen()];
await page.waitForSelector("text=3 not applied yet");

// What is typed and not stored survives another clip and the recording around this one; Discard takes it back.
const before = await page.inputValue("#text");
await page.keyboard.press("End");
await page.keyboard.type(" Typed.");
await page.keyboard.press("Escape");
await page.keyboard.press("j");
await panelOf(4);
await page.keyboard.press("k");
await panelOf(3);
seen.draft = [await page.inputValue("#text"), await page.isVisible("#unstored")];
await page.click("[data-act=discard]");
seen.discarded = [await page.inputValue("#text") === before, await page.isVisible("#unstored")];

// A faulty correction keeps what was typed.
await page.fill("#text", "Right words.");
await page.fill("#end_s", "1");
await page.click("#store");
await page.waitForSelector("#clip [role=alert]");
seen.faulty = [await page.inputValue("#text"), await page.inputValue("#end_s")];
await page.click("[data-act=discard]");

// Somebody who goes on to the filter while a correction is stored types there.
held = await hold("/correct");
await page.fill("#text", "Stored words.");
await page.keyboard.press("Control+Enter");
await held.came;
await page.focus("#words");
await page.keyboard.type("dur");
await held.let();
await page.waitForSelector("text=4 not applied yet");
await page.keyboard.type("du");
seen.typed = [await page.inputValue("#words"), await focused()];
await page.fill("#words", "");

// A double click leaves a clip out once, and does not take that back.
await page.waitForSelector("#clip-5");
await page.click("#clip-5 .open");
await panelOf(5);
await page.dblclick("#drop");
await page.waitForSelector("form[data-row=clip-5] #keep");
await page.waitForSelector("text=5 not applied yet");

// Two filters: the answer to the first comes last.
held = await hold("words=clip%207");
await page.fill("#words", "clip 7");
await held.came;
await page.fill("#words", "clip 119");
await page.waitForSelector("text=1 of 122");
await held.let();
await page.evaluate(() => fetch(location.href));
seen.filtered = await page.textContent("#clips p span");

// The list of jobs with a filter, while an older answer is on its way; focus stays where it is when the list changes.
await page.goto(root + "/");
await page.waitForSelector("#jobs table");
await page.evaluate(() => fetch(location.href));
held = await hold("/jobs/list?state=");
await ask("job");
await held.came;
await page.selectOption("#state", "cancelled");
await held.let();
await page.waitForFunction(() => !document.querySelector("#jobs .failed"));
await page.evaluate(() => fetch(location.href));
seen.states = await page.locator("#jobs .state").allTextContents();
await page.selectOption("#state", "");
await page.waitForSelector("#jobs .failed");
const link = page.locator("#jobs tr:has(.cancelled) a");
await link.focus();
const linked = await focused();
const mark = () => page.evaluate(() => { document.querySelector("#jobs table").dataset.old = "1"; });
await mark();
await ask("job");
await page.waitForSelector("#jobs table:not([data-old])");
seen.focusKept = await focused() === linked;

// A press of the mouse that has begun before the list changes ends on the same link.
await mark();
await link.hover();
await page.mouse.down();
await page.evaluate(() => {
  window.nEvents = 0;
  window.events = new EventSource(document.querySelector("[data-events]").dataset.events);
  window.events.addEventListener("jobs", () => { window.nEvents += 1; });
});
await page.waitForFunction(() => window.nEvents === 1);
await ask("job");
await page.waitForFunction(() => window.nEvents === 2);
await page.evaluate(() => window.events.close());
seen.heldBack = await page.isVisible("#jobs table[data-old]");
await page.mouse.up();
await page.waitForSelector("#job");
seen.followed = page.url().endsWith(linked.replace("open-", ""));

// A page that is not seen holds no connection, and has the newest list when it is seen again.
await page.goto(root + "/");
await page.waitForFunction(() => document.readyState === "complete" && document.querySelector("#jobs table"));
const show = isHidden => page.evaluate(isHidden => {
  Object.defineProperty(document, "hidden", {value: isHidden, configurable: true});
  document.dispatchEvent(new Event("visibilitychange"));
}, isHidden);
const ended = page.waitForEvent("requestfailed", one => one.url().endsWith("/jobs/events"));
await show(true);
await ended;
const added = await ask("job");
await show(false);
await page.waitForSelector(`#open-${added}`);

// A second press of a button while its answer is awaited, and a double click, start one job.
await page.goto(root + "/jobs/" + await ask("finished"));
held = await hold("/again");
let posts = 0;
page.on("request", request => { if (request.url().endsWith("/again")) posts += 1; });
await page.dblclick("#cost");
await held.came;
await page.click("#cost");
await held.let();
await page.waitForSelector("#started .note");
seen.posts = posts;
await finish();
