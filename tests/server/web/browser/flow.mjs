// A person's way through the pages in a real browser: node flow.mjs FIRST_ADDRESS FOLDER_FOR_PICTURES CHROMIUM
// Prints one JSON object with what was seen.
import { ask, finish, inspect, lap, open, openDataset, picture, seen } from "./person.mjs";

const {page, root} = await open({});
seen.cookieReadable = await page.evaluate(() => document.cookie);

// By keyboard alone: choose the first clip, add a word, store it.
await openDataset(page, root, "anna");
await page.keyboard.press("j");
await page.waitForSelector("#correction");
await page.keyboard.press("e");
await page.keyboard.press("Control+a");
await page.keyboard.type("The right words.");
await page.keyboard.press("Control+Enter");
await page.waitForSelector("text=1 not applied yet");
seen.corrected = await page.textContent("tr[aria-selected=true] td.text");

// The end of the next clip, drawn to the left: it snaps to the pause in its middle.
await page.keyboard.press("j");
await page.waitForSelector("form[data-row=clip-1] #wave");
await page.waitForFunction(() => document.querySelector("#wave div")?.shadowRoot?.querySelector("[part~=region-handle-right]"));
const handle = await page.evaluate(() => {
  const box = document.querySelector("#wave div").shadowRoot.querySelector("[part~=region-handle-right]").getBoundingClientRect();
  const whole = document.querySelector("#wave").getBoundingClientRect();
  return {x: box.x + box.width / 2, y: box.y + box.height / 2, middle: whole.x + whole.width * 0.52};
});
await page.mouse.move(handle.x, handle.y);
await page.mouse.down();
await page.mouse.move(handle.middle, handle.y, {steps: 4});
await page.mouse.up();
seen.end = Number(await page.inputValue("#end_s"));
await page.click("#store");
await page.waitForSelector("text=2 not applied yet");
await page.waitForFunction(() => document.querySelector("#wave div")?.shadowRoot?.querySelector("[part~=region-handle-right]"));

// Hear it, leave it out, take that back.
await page.keyboard.press(" ");
await page.waitForFunction(() => /\d/.test(document.getElementById("time").textContent));
await page.keyboard.press(" ");
await page.keyboard.press("d");
await page.waitForSelector("text=3 not applied yet");
await page.keyboard.press("u");
await page.waitForSelector("text=4 not applied yet");

// Another window has an older state of the same clip.
const other = await page.context().newPage();
await other.goto(root + "/datasets/anna");
await other.click("tr[data-key]:nth-child(3) .open");
await other.waitForSelector("#drop");
await page.click("tr[data-key]:nth-child(3) .open");
await page.waitForSelector("form[data-row=clip-2] #drop");
await page.click("#drop");
await page.waitForSelector("form[data-row=clip-2] #keep");
await other.click("#drop");
await other.waitForSelector("text=correction_conflict");
await other.close();

lap("corrected at");
// A job is seen on the open page without a reload.
await page.goto(root + "/");
await page.waitForSelector("#jobs");
await ask("job");
await page.waitForSelector("table.jobs tbody tr", {timeout: 20000});
seen.job = (await page.textContent("table.jobs tbody")).replace(/\s+/g, " ").trim();
await page.click("table.jobs a");
await page.waitForSelector("#job");

// First paint of ten thousand clips, when the server has read them.
for (const turn of ["cold", "warm"]) {
  const fresh = await page.context().newPage();
  await fresh.addInitScript(() => new PerformanceObserver(list => {
    for (const {startTime} of list.getEntriesByName("first-contentful-paint")) {
      sessionStorage.setItem("paints", (sessionStorage.getItem("paints") || "") + Math.round(startTime) + " ");
    }
  }).observe({type: "paint", buffered: true}));
  await fresh.goto(root + "/datasets/big");
  await fresh.waitForSelector("#words");
  await fresh.waitForFunction(() => performance.getEntriesByName("first-contentful-paint").length);
  seen.milliseconds[turn] = await fresh.evaluate(() => Number(sessionStorage.getItem("paints").split(" ")[0]));
  const began = Date.now();
  await fresh.fill("#words", "9999");
  await fresh.waitForSelector("text=1 of 10002");
  seen.milliseconds["filter " + turn] = Date.now() - began;
  await fresh.close();
}

lap("jobs and paint at");
// Every page at two widths, light and dark; and by axe.
const places = {jobs: "/", datasets: "/datasets", dataset: "/datasets/anna", voices: "/voices", listen: "/listen", missing: "/nothing"};
const changing = {jobs: ["table.jobs td:nth-child(4)"], dataset: ["#clip .muted"], listen: [".choice .small"]};
for (const [width, height] of [[1280, 900], [390, 844]]) {
  for (const colorScheme of ["light", "dark"]) {
    const {page: one} = await open({viewport: {width, height}, colorScheme, bypassCSP: true});
    const base = one.url().replace(/\/$/, "");
    for (const [name, where] of Object.entries(places)) {
      await one.goto(base + where);
      if (name === "dataset") {
        await one.click("tr[data-key] .open");
        await one.waitForFunction(() => document.querySelector("#wave div")?.shadowRoot?.querySelector("[part~=region]"));
      }
      await one.waitForSelector("#machine span");
      await picture(one, `${name}-${width}-${colorScheme}`, changing[name]);
      const isNarrow = width === 390;  // each width and each scheme once, and few pages twice
      if (isNarrow !== (colorScheme === "dark") || (isNarrow && !["jobs", "dataset"].includes(name))) continue;
      await inspect(one, `${name} ${width} ${colorScheme}`);
    }
    await one.context().close();
  }
}
lap("all at");
await finish();
