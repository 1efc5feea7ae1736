// From the clips of a real ingest to the vote between two voices, by keyboard alone, with the focus always to be seen:
// node whole_way.mjs FIRST_ADDRESS PICTURES CHROMIUM
import { ask, finish, lap, open, pressAtOnce, readReport, seen, tabTo } from "./person.mjs";

const JOB_MS = 240000;
const {page} = await open({});
const press = key => page.keyboard.press(key);
const type = text => page.keyboard.type(text);

async function untilDone(page) {
  await page.waitForSelector(".state.succeeded, .state.failed, .state.cancelled", {timeout: JOB_MS});
  if (!await page.isVisible(".state.succeeded")) throw new Error(await page.textContent("#job"));
}

// Follows a link of the page, found by Tab.
async function follow(selector, ready, window = page) {
  await tabTo(window, selector);
  await window.keyboard.press("Enter");
  await window.waitForSelector(ready);
  await window.waitForFunction(() => document.readyState === "complete" && window.htmx);
}

// Plays an audio element that has the focus, by the browser's own key.
async function hear(window, selector) {
  await tabTo(window, selector);
  await window.keyboard.press(" ");
  return window.waitForFunction(() => document.activeElement.currentTime > 0 && document.activeElement.duration).then(one => one.jsonValue());
}

// The dataset, past the navigation.
await follow("nav a:text-is('Datasets')", "main .list");
await follow("main a:text-is('slt')", "#words");

// A wrong word.
await press("j");
await page.waitForSelector("#correction");
await press("e");
await press("Control+a");
await type("A thirsty crow found a tall jug in the garden.");
await press("Control+Enter");
await page.waitForSelector("text=1 not applied yet");

// The border of the next clip, some hundredths of a second to the right: its region moves with what is typed.
await press("j");
await page.waitForSelector("form:not([data-row=clip-1]) #wave");
const edge = () => page.evaluate(() => document.querySelector("#wave div")?.shadowRoot?.querySelector("[part~=region]")?.getBoundingClientRect().x);
await page.waitForFunction(() => document.querySelector("#wave div")?.shadowRoot?.querySelector("[part~=region]"));
seen.before = Number(await page.inputValue("#start_s"));
const drawn = await edge();
await tabTo(page, "#start_s");
await press("Control+a");
await type((seen.before + 0.05).toFixed(3));
seen.regionMoved = await edge() - drawn;
await press("Control+Enter");
await page.waitForSelector("text=2 not applied yet");

// Hear it; leave it out, and take that back.
await press(" ");
await page.waitForFunction(() => /\d/.test(document.getElementById("time").textContent));
await press(" ");
await press("d");
await page.waitForSelector("text=3 not applied yet");
await press("u");
await page.waitForSelector("text=4 not applied yet");

// A rejection whose words the book lacks: write them, and keep it.
await tabTo(page, "select[name=reason]", "Shift+Tab");
await type("not_in_text");
await page.waitForSelector("text=1 of");
await press("Escape");
await press("j");
await page.waitForSelector("#keep");
await press("e");
await press("Control+a");
await type("The heavy jar would not fall when she leaned against it.");
await pressAtOnce(page, "5 not applied yet", "r");
await press("Control+Enter");
await page.waitForSelector("text=6 not applied yet");
lap("corrected at");

// Apply, and watch the job to its end.
await tabTo(page, "#apply", "Shift+Tab");
await press("Enter");
await page.waitForSelector("#applied a");
await follow("#applied a", "#job");
await untilDone(page);
lap("applied at");

// The agent trains; the person finds the training in the list, and watches.
const training = await ask("train");
await follow("nav a:text-is('Jobs')", "#jobs table");
await follow(`#open-${training}`, "#job");
await untilDone(page);
await page.waitForSelector("#plots canvas");
seen.curves = await page.locator("#plots .u-title").allTextContents();
lap("trained at");

// The voice is listed, and speaks what is typed.
await follow("nav a:text-is('Voices')", "main .list");
await follow("main a:text-is('slt')", "#say");
await tabTo(page, "#say");
await type(await ask("text"));
await tabTo(page, "button:text-is('Speak it')");
await press("Enter");
await page.waitForSelector("#spoken audio", {timeout: JOB_MS});
seen.heard = await hear(page, "#spoken audio");
lap("spoken at");

// Another step of the same training has said the same: listen blindly, vote, and see what the votes say.
await ask("compare");
await follow("nav a:text-is('Listen')", "input[name=takes]");
for (let n = 0; n < await page.locator("input[name=takes]").count(); n++) {
  await tabTo(page, `.choice:nth-of-type(${n + 1}) input`);
  await press(" ");
}
await tabTo(page, "button:text-is('Begin')");
await press("Enter");
await page.waitForSelector("#begun a");
await tabTo(page, "#begun a");
const [listening] = await Promise.all([page.context().waitForEvent("page"), press("Enter")]);
await listening.waitForSelector("#pairs audio");
seen.narrator = await listening.isVisible("#narrator audio");
await tabTo(listening, "#who");
await listening.keyboard.type("Ada");
await hear(listening, "#pairs audio");
for (let n = 1; n <= await listening.locator("#pairs .card").count(); n++) {
  await tabTo(listening, `#pairs .card:nth-of-type(${n}) button:text-is('A is better')`);
  await listening.keyboard.press("Enter");
  await listening.waitForSelector(`#pairs .card.done:nth-of-type(${n})`);
}
await listening.close();
await follow("#begun a:text-is('what the votes say')", "main h1:text-is('What the votes say')");
seen.result = (await page.textContent("main")).replace(/\s+/g, " ").trim();
lap("voted at");
await follow("nav a:text-is('Books')", "main h1:text-is('Books')");

// The reports of the jobs are files of their own.
for (const [name, file] of Object.entries(JSON.parse(await ask("reports")))) await readReport(file, name);
lap("read at");
await finish();
