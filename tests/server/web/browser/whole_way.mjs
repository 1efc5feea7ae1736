// From the clips of a real ingest to the vote between two voices: node whole_way.mjs FIRST_ADDRESS PICTURES CHROMIUM
import { ask, finish, lap, open, openDataset, pressAtOnce, readReport, seen } from "./person.mjs";

const JOB_MS = 240000;

async function untilDone(page) {
  await page.waitForSelector(".state.succeeded, .state.failed, .state.cancelled", {timeout: JOB_MS});
  if (!await page.isVisible(".state.succeeded")) throw new Error(await page.textContent("#job"));
}

const {page, root} = await open({});

// A wrong word, by keyboard alone.
await openDataset(page, root, "slt");
await page.keyboard.press("j");
await page.waitForSelector("#correction");
await page.keyboard.press("e");
await page.keyboard.press("End");
await page.keyboard.press("Control+a");
await page.keyboard.type("A thirsty crow found a tall jug in the garden.");
await page.keyboard.press("Control+Enter");
await page.waitForSelector("text=1 not applied yet");

// The border of the next clip, a tenth of a second to the right.
await page.keyboard.press("j");
await page.waitForSelector("form[data-row=clip-3] #wave, form:not([data-row=clip-1]) #wave");
await page.waitForFunction(() => document.querySelector("#wave div")?.shadowRoot?.querySelector("[part~=region-handle-right]"));
seen.before = Number(await page.inputValue("#start_s"));
await page.fill("#start_s", (seen.before + 0.05).toFixed(3));
await page.click("#store");
await page.waitForSelector("text=2 not applied yet");

// A rejection whose words the book lacks: write them, and keep it.
await page.selectOption("select[name=reason]", "not_in_text");
await page.waitForSelector("text=1 of");
await page.click("tr[data-key] .open");
await page.waitForSelector("#keep");
await page.fill("#text", "The heavy jar would not fall when she leaned against it.");
await pressAtOnce(page, "3 not applied yet", "r");
await page.click("#store");
await page.waitForSelector("text=4 not applied yet");
lap("corrected at");

// Apply, and watch the job to its end.
await page.click("text=Apply to the dataset");
await page.click("#applied a");
await untilDone(page);
lap("applied at");

// The agent trains; the person watches.
await page.goto(root + "/jobs/" + await ask("train"));
await untilDone(page);
await page.waitForSelector("#plots canvas");
seen.curves = await page.locator("#plots .u-title").allTextContents();
lap("trained at");

// The voice is listed, and speaks what is typed.
await page.goto(root + "/voices");
await page.click("main a:text-is('slt')");
await page.fill("#say", await ask("text"));
await page.click("text=Speak it");
await page.waitForSelector("#spoken audio", {timeout: JOB_MS});
seen.heard = await page.evaluate(async () => {
  const audio = document.querySelector("#spoken audio");
  audio.play();
  await new Promise((resolve, reject) => { audio.ontimeupdate = resolve; audio.onerror = reject; });
  return audio.duration;
});
lap("spoken at");

// Another step of the same training has said the same: listen blindly, vote, and see what the votes say.
await ask("compare");
await page.goto(root + "/listen");
const boxes = page.locator("input[name=takes]");
for (let n = 0; n < await boxes.count(); n++) await boxes.nth(n).check();
await page.click("text=Begin");
await page.waitForSelector("#begun a");
const link = page.locator("#begun a");
const listening = await page.context().newPage();
await listening.goto(new URL(await link.first().getAttribute("href"), page.url()).href);
await listening.waitForSelector("#pairs audio");
seen.narrator = await listening.isVisible("#narrator audio");
await listening.fill("#who", "Ada");
await listening.evaluate(async () => {
  const audio = document.querySelector("#pairs audio");
  audio.play();
  await new Promise((resolve, reject) => { audio.ontimeupdate = resolve; audio.onerror = reject; });
});
for (const button of await listening.locator("#pairs button:text-is('A is better')").all()) await button.click();
await listening.waitForSelector("#pairs .card.done");
await listening.close();
await page.goto(new URL(await link.last().getAttribute("href"), page.url()).href);
seen.result = (await page.textContent("main")).replace(/\s+/g, " ").trim();
lap("voted at");

// The reports of the jobs are files of their own.
for (const [name, file] of Object.entries(JSON.parse(await ask("reports")))) await readReport(file, name);
lap("read at");
await finish();
