// The table of clips by keyboard, and the correction of the chosen one.
"use strict";

const panel = document.getElementById("clip");
// What was typed and not stored, by clip, and what is to be done when the chosen clip is shown.
const drafts = new Map();
let later = [], answered = null;

function rows() { return [...document.querySelectorAll("#clips tr[data-key]")]; }
function chosen() { return document.querySelector("#clips tr[aria-selected=true]"); }
function correction() { return document.getElementById("correction"); }

// Keys act in their order, each on the clip that is chosen then: they wait for its panel, and for an answer.
function isStoring() { return correction()?.classList.contains("htmx-request") ?? false; }
function isShown() { return !panel.inert && !isStoring(); }
function act(action) { later.push(action); goOn(); }
function goOn() { while (later.length && isShown()) later.shift()(); }
function giveUp() { later = []; panel.inert = false; }

function mark(row) {
  for (const other of rows()) other.removeAttribute("aria-selected");
  if (row) row.setAttribute("aria-selected", "true");
}

function choose(row) {
  if (!row) return;
  mark(row);
  row.scrollIntoView({block: "nearest"});
  row.querySelector(".open").focus({preventScroll: true});
  const query = document.getElementById("query").getAttribute("hx-get").replace(/clips$/, "clip");
  htmx.ajax("GET", query + "?key=" + encodeURIComponent(row.dataset.key), {source: panel, target: panel}).catch(() => {});
}

// The next clip does not wait for the panel of this one, only for keys before it and for a correction that is stored.
function step(by) {
  const go = () => {
    const all = rows(), at = all.indexOf(chosen());
    choose(all[at < 0 ? 0 : Math.min(all.length - 1, Math.max(0, at + by))]);
  };
  if (later.length || isStoring()) later.push(go);
  else go();
}

function edit() { document.getElementById("text")?.focus(); }

function press(id) {
  act(() => {
    const button = document.getElementById(id);
    if (button && !button.disabled) button.click();
  });
}

function fields(form) { return [...form.elements].filter(one => one.name && one.type !== "hidden" && "defaultValue" in one); }
function isChanged(form) { return fields(form).some(one => one.value !== one.defaultValue); }

function keepDraft() {
  const form = correction();
  if (!form || !isChanged(form)) return;
  drafts.set(form.elements.clip.value, {seen: form.elements.seen.value, values: fields(form).map(one => [one.name, one.value])});
}

function showDraft() {
  const form = correction(), draft = form && drafts.get(form.elements.clip.value);
  if (!draft) return;
  drafts.delete(form.elements.clip.value);
  if (draft.seen !== form.elements.seen.value) return;
  for (const [name, value] of draft.values) form.elements[name].value = value;
  showUnstored();
}

function showUnstored() { document.getElementById("unstored").hidden = !isChanged(correction()); }
panel.addEventListener("input", showUnstored);

// Nothing is typed into what an answer will replace. What was sent is no draft.
document.body.addEventListener("htmx:beforeRequest", event => {
  if (event.detail.target !== panel) return;
  if (event.target.id !== "correction") { panel.inert = true; return; }
  drafts.delete(event.target.elements.clip.value);
  chosen()?.querySelector(".open").focus({preventScroll: true});
  event.target.inert = true;
});
// A faulty one is typed on.
function leavesDraft({requestConfig, xhr}) { return requestConfig.verb === "get" || xhr.status === 400; }
document.body.addEventListener("htmx:beforeSwap", event => {
  if (event.detail.target === panel && leavesDraft(event.detail)) keepDraft();
});
document.body.addEventListener("htmx:afterSwap", event => {
  if (event.detail.target !== panel) return;
  if (leavesDraft(event.detail)) showDraft();
  showWave();
});
for (const name of ["htmx:sendError", "htmx:timeout"]) {
  document.body.addEventListener(name, () => { giveUp(); if (correction()) correction().inert = false; });
}
document.body.addEventListener("htmx:responseError", giveUp);

// A replaced row or table has no chosen row: the clip that is shown stays the chosen one, and the keys act on it. The
// focus goes there only if what had it is gone.
document.body.addEventListener("htmx:afterSettle", event => {
  const {target, xhr} = event.detail, form = correction();
  if ((target !== panel && target.id !== "clips") || xhr === answered) return;
  answered = xhr;  // the event comes for each part of it
  if (target === panel) panel.inert = false;
  else if (target.getBoundingClientRect().top < 0) target.scrollIntoView();
  const row = form && document.getElementById(form.dataset.row);
  if (target === panel || !chosen()) mark(row);
  if (row && target === panel && (document.activeElement === document.body || panel.contains(document.activeElement))) {
    row.querySelector(".open").focus({preventScroll: true});
  }
  queueMicrotask(goOn);  // when htmx has ended this request
});

document.getElementById("clips").addEventListener("click", event => {
  const row = event.target.closest("tr[data-key]");
  if (!row) return;
  if (isStoring()) later.push(() => choose(document.getElementById(row.id)));
  else { later = []; choose(row); }
});

document.body.addEventListener("click", event => {
  const word = event.target.closest("#words-spoken span");
  if (word && wave) {  // a little before it, so that its first sound is heard
    wave.setTime(Math.max(0, word.dataset.from - Number(correction().dataset.start) - 0.02));
    wave.play();
  }
  if (event.target.dataset.act === "play") play();
  if (event.target.dataset.act === "discard") {
    correction().reset();
    showUnstored();
    document.getElementById("start_s").dispatchEvent(new Event("input"));
    document.getElementById("text").focus();
  }
  if (event.target.dataset.act === "split-here" && wave) {
    document.getElementById("split_s").value = (Number(correction().dataset.start) + wave.getCurrentTime()).toFixed(3);
  }
});

window.addEventListener("beforeunload", event => {
  keepDraft();
  if (drafts.size) event.preventDefault();
});

const STEPS = {j: () => step(1), ArrowDown: () => step(1), k: () => step(-1), ArrowUp: () => step(-1)};
const KEYS = {
  ...STEPS, " ": () => act(play), e: () => act(edit),
  d: () => press("drop"), r: () => press("keep"), u: () => press("undo"),
  n: () => press("next-page"), p: () => press("previous-page"),
};

document.addEventListener("keydown", event => {
  if (event.target.matches("input, textarea, select")) {
    if (event.key === "Escape") event.target.blur();
    if (event.key === "Enter" && event.ctrlKey && event.target.form === correction()) press("store");
    return;
  }
  if (event.ctrlKey || event.altKey || event.metaKey || !KEYS[event.key]) return;
  if (event.key === " " && event.target.matches("button, a, summary") && !event.target.matches(".open")) return;
  event.preventDefault();
  if (later.includes(edit)) return;  // it is meant for the text, which is not there yet
  if (!event.repeat || STEPS[event.key]) KEYS[event.key]();
});
