// The table of clips by keyboard, and the waveform of the chosen one. Borders snap to the quietest place nearby.
"use strict";

const SNAP_S = 0.12, FRAME_S = 0.01;
let wave = null, region = null, plays = false;

function rows() { return [...document.querySelectorAll("#clips tr[data-key]")]; }
function chosen() { return document.querySelector("#clips tr[aria-selected=true]"); }

function choose(row) {
  if (!row) return;
  for (const other of rows()) other.removeAttribute("aria-selected");
  row.setAttribute("aria-selected", "true");
  row.scrollIntoView({block: "nearest"});
  row.querySelector(".open").focus({preventScroll: true});
  const query = document.getElementById("query").getAttribute("hx-get").replace(/clips$/, "clip");
  htmx.ajax("GET", query + "?key=" + encodeURIComponent(row.dataset.key), "#clip");
}

function step(by) {
  const all = rows(), at = all.indexOf(chosen());
  choose(all[at < 0 ? 0 : Math.min(all.length - 1, Math.max(0, at + by))]);
}

function press(id) {
  const button = document.getElementById(id);
  if (button && !button.disabled) button.click();
}

function quietest(samples, rate, at) {
  const size = Math.round(FRAME_S * rate);
  let best = at, least = Infinity;
  for (let s = at - SNAP_S; s <= at + SNAP_S; s += FRAME_S) {
    const first = Math.round(s * rate);
    if (first < 0 || first + size > samples.length) continue;
    let power = 0;
    for (let n = first; n < first + size; n++) power += samples[n] * samples[n];
    if (power < least) { least = power; best = s + FRAME_S / 2; }
  }
  return best;
}

function showWave() {
  const form = document.getElementById("correction"), place = document.getElementById("wave");
  if (wave) { wave.destroy(); wave = region = null; }
  if (!form || !place || !form.dataset.sound) return;
  const style = getComputedStyle(document.body), start = Number(form.dataset.start);
  const from = document.getElementById("start_s"), to = document.getElementById("end_s");
  const regions = WaveSurfer.Regions.create();
  wave = WaveSurfer.create({
    container: place, url: form.dataset.sound, height: 96, cspNonce: document.body.dataset.nonce,
    waveColor: style.getPropertyValue("--muted").trim(), progressColor: style.getPropertyValue("--accent").trim(),
    plugins: [regions],
  });
  wave.on("error", () => showStatus("This clip cannot be played."));
  const words = [...document.querySelectorAll("#words-spoken span")];
  wave.on("timeupdate", s => {
    document.getElementById("time").textContent = (start + s).toFixed(2) + " s";
    for (const word of words) word.classList.toggle("lit", start + s >= word.dataset.from && start + s < word.dataset.to);
  });
  wave.on("decode", length => {
    region = regions.addRegion({
      start: Math.max(0, Number(from.value) - start), end: Math.min(length, Number(to.value) - start),
      color: "rgba(64, 128, 208, .2)", drag: false,
    });
    if (plays) wave.play();
  });
  let before = null;
  regions.on("region-updated", moved => {
    const sound = wave.getDecodedData(), samples = sound.getChannelData(0);
    const was = before || {start: Math.max(0, Number(from.value) - start), end: Number(to.value) - start};
    const place = {start: moved.start, end: moved.end};
    for (const side of ["start", "end"]) {
      const atEnd = side === "start" ? moved.start < FRAME_S : moved.end > sound.duration - FRAME_S;
      if (Math.abs(moved[side] - was[side]) > 0.001 && !atEnd) place[side] = quietest(samples, sound.sampleRate, moved[side]);
    }
    before = place;
    moved.setOptions(place);
    if (Math.abs(place.start - was.start) > 0.001) from.value = (start + place.start).toFixed(3);
    if (Math.abs(place.end - was.end) > 0.001) to.value = (start + place.end).toFixed(3);
  });
}

function play() {
  if (!wave) return;
  plays = !wave.isPlaying();
  if (!plays) wave.pause();
  else if (region && (wave.getCurrentTime() < region.start || wave.getCurrentTime() > region.end - 0.05)) region.play(true);
  else wave.play();
}

document.body.addEventListener("htmx:afterSwap", event => { if (event.detail.target.id === "clip") showWave(); });

document.getElementById("clips").addEventListener("click", event => {
  const row = event.target.closest("tr[data-key]");
  if (row) choose(row);
});

document.body.addEventListener("click", event => {
  const word = event.target.closest("#words-spoken span");
  if (word && wave) {  // a little before it, so that its first sound is heard
    wave.setTime(Math.max(0, word.dataset.from - Number(document.getElementById("correction").dataset.start) - 0.02));
    wave.play();
  }
  const act = event.target.dataset.act;
  if (act === "play") play();
  if (act === "split-here" && wave) {
    const start = Number(document.getElementById("correction").dataset.start);
    document.getElementById("split_s").value = (start + wave.getCurrentTime()).toFixed(3);
  }
});

// The row was replaced by the answer of a correction: it stays the chosen one, and the keys act on it.
document.body.addEventListener("htmx:afterSettle", event => {
  const form = document.getElementById("correction");
  const row = form && document.getElementById(form.dataset.row);
  if (event.detail.target.id !== "clip" || !row) return;
  row.setAttribute("aria-selected", "true");
  row.querySelector(".open").focus({preventScroll: true});
});

const KEYS = {
  " ": play, j: () => step(1), ArrowDown: () => step(1), k: () => step(-1), ArrowUp: () => step(-1),
  e: () => { const text = document.getElementById("text"); if (text) text.focus(); },
  d: () => press("drop"), r: () => press("keep"), u: () => press("undo"),
  n: () => press("next-page"), p: () => press("previous-page"),
};

document.addEventListener("keydown", event => {
  const inField = event.target.matches("input, textarea, select");
  if (inField) {
    if (event.key === "Escape") event.target.blur();
    if (event.key === "Enter" && event.ctrlKey && event.target.form && event.target.form.id === "correction") press("store");
    return;
  }
  if (event.ctrlKey || event.altKey || event.metaKey || !KEYS[event.key]) return;
  if (event.key === " " && event.target.matches("button, a, summary") && !event.target.matches(".open")) return;
  event.preventDefault();
  KEYS[event.key]();
});
