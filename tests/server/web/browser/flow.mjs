// A person's way through the pages in a real browser: node flow.mjs FIRST_ADDRESS FOLDER_FOR_PICTURES CHROMIUM
// Prints one JSON object with what was seen.
import { ask, finish, inspect, lap, open, openDataset, picture, readReport, seen } from "./person.mjs";

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

// The words of a clip are lit as they are spoken, and a click on one plays from there.
await page.click("tr[data-key]:nth-child(4) .open");
await page.waitForSelector("form[data-row=clip-3] #words-spoken");
await page.waitForFunction(() => document.querySelector("#wave div")?.shadowRoot?.querySelector("[part~=region]"));
await page.click("#words-spoken span:nth-child(3)");
await page.waitForSelector("#words-spoken span:nth-child(3).lit");
seen.lit = await page.textContent("#words-spoken .lit");
await page.keyboard.press("Escape");

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
await page.waitForSelector("text=alert(3)", {timeout: 20000});
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
  await fresh.waitForFunction(() => window.htmx && document.readyState === "complete");
  seen.milliseconds["longest frame of scrolling " + turn] = Math.round(await fresh.evaluate(async () => {
    let longest = 0, before = performance.now();
    for (let frame = 0; frame < 30; frame++) {
      scrollBy(0, 100);
      const now = await new Promise(requestAnimationFrame);
      longest = Math.max(longest, now - before);
      before = now;
    }
    return longest;
  }));
  const began = Date.now();
  await fresh.fill("#words", "9999");
  await fresh.waitForSelector("text=1 of 10002");
  seen.milliseconds["filter " + turn] = Date.now() - began;
  await fresh.close();
}

// A training whose validation rises is stopped where the page says so.
await page.goto(root + "/jobs/training-20260103-000000-0003");
await page.waitForSelector("#advice:not([hidden])");
seen.advice = await page.textContent("#advice p");

// A book by keyboard alone: a passage is played, and another one is chosen to be spoken again.
await page.goto(root + "/books/narrate-20260101-000000-0001");
await page.waitForFunction(() => document.readyState === "complete");
await page.locator(".say").nth(1).focus();
await page.keyboard.press("Enter");
await page.waitForSelector(".passages li:nth-child(2).lit");
await page.keyboard.press("Tab");
await page.keyboard.press(" ");
seen.chosen = await page.locator("input[name=key]:checked").count();
// Takes of three voices are compared blindly; this listener prefers one voice in four votes of five.
await page.goto(root + "/listen");
for (const box of await page.locator("input[name=takes]").all()) await box.check();
await page.click("text=Begin");
await page.waitForSelector("#begun a");
const [listening, votes] = await Promise.all((await page.locator("#begun a").all()).map(async link => (await link.getAttribute("href")).replace(/^\/[^/]+/, "")));
seen.votes = await page.evaluate(async where => {
  const {pairs} = await (await fetch(where + "contents")).json();
  for (let pair = 0; pair < pairs.length; pair++) {
    const ranks = await Promise.all(["first", "second"].map(async place => {
      const said = await (await fetch(where + "pair/" + pair + "/" + place)).text();
      return ["good", "fair", "poor"].findIndex(name => said.startsWith(name));
    }));
    const isFirst = (ranks[0] < ranks[1]) !== (ranks[0] + ranks[1] === 3 && pairs[pair].text.includes("001"));
    await fetch(where + "vote", {method: "POST", headers: {"Content-Type": "application/json"}, body: JSON.stringify({pair, winner: isFirst ? "first" : "second", who: "Ada"})});
  }
  return pairs.length;
}, root + listening);
lap("jobs and paint at");
// Every page at two widths, light and dark; and by axe.
const training = "/jobs/training-20260103-000000-0003", book = "/books/narrate-20260101-000000-0001";
const places = {
  jobs: "/", datasets: "/datasets", dataset: "/datasets/anna", voices: "/voices", voice: "/voices/anna", listen: "/listen",
  training, books: "/books", book, doubtful: book + "?show=doubtful", votes, missing: "/nothing",
};
const golden = ["jobs", "dataset", "voice", "listen", "training", "book", "votes"];
const changing = {
  jobs: ["table.jobs td:nth-child(4)"], dataset: ["#clip .muted", "#wave"], listen: [".choice .small"],
  training: ["#plots"], voice: ["main > .muted"], book: ["audio"],
};
for (const [width, height] of [[1280, 900], [390, 844]]) {
  for (const colorScheme of ["light", "dark"]) {
    const {page: one, root: base} = await open({viewport: {width, height}, colorScheme, bypassCSP: true});
    for (const [name, where] of Object.entries(places)) {
      if (!golden.includes(name) && colorScheme === "dark") continue;
      await one.goto(base + where);
      if (name === "dataset") {
        await one.click("tr[data-key] .open");
        await one.waitForFunction(() => document.querySelector("#wave div")?.shadowRoot?.querySelector("[part~=region]"));
      }
      if (name === "training") await one.waitForSelector("#plots canvas");
      await one.waitForSelector("#machine span");
      await picture(one, `${name}-${width}-${colorScheme}`, changing[name]);
      const isNarrow = width === 390;  // each width and each scheme once, and few pages twice
      if (isNarrow !== (colorScheme === "dark") || (isNarrow && !["jobs", "dataset", "training", "book"].includes(name))) continue;
      await inspect(one, `${name} ${width} ${colorScheme}`);
    }
    await one.context().close();
  }
}
await readReport(await ask("narration"), "narration");
lap("all at");
await finish();
