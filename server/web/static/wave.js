// The waveform of the chosen clip. Borders snap to the quietest place nearby; typed ones move it too.
"use strict";

const SNAP_S = 0.12, FRAME_S = 0.01;
let wave = null, region = null, plays = false;

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
  const typed = length => ({
    start: Math.max(0, Number(from.value) - start), end: Math.min(length, Number(to.value) - start),
  });
  let before = null;
  wave.on("decode", length => {
    region = regions.addRegion({...typed(length), color: "rgba(64, 128, 208, .2)", drag: false});
    before = {start: region.start, end: region.end};
    for (const field of [from, to]) {
      field.addEventListener("input", () => {
        const place = typed(length);
        if (!(place.start < place.end)) return;
        before = place;
        region.setOptions(place);
      });
    }
    if (plays) wave.play();
  });
  regions.on("region-updated", moved => {
    const sound = wave.getDecodedData(), samples = sound.getChannelData(0), was = before;
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
