// Events of the server, and what all pages share. Everything else is in attributes that htmx reads.
"use strict";

function showStatus(text) {
  const status = document.getElementById("status");
  status.textContent = text;
  clearTimeout(showStatus.timer);
  showStatus.timer = setTimeout(() => { status.textContent = ""; }, 6000);
}

// What a person presses, marks or hears is not replaced meanwhile.
let isPressed = false;
function isInUse(part) {
  const marked = getSelection();
  return isPressed || (!marked.isCollapsed && part.contains(marked.anchorNode))
    || [...part.querySelectorAll("audio")].some(one => !one.paused);
}

// An element with data-events is asked to load itself again whenever the server says that something has changed. A page
// that is not seen holds no connection, since a browser has only six for one server. A job that has ended needs none.
for (const listening of document.querySelectorAll("[data-events]")) {
  let source = null, isLate = false;
  const catchUp = () => {
    if (!isLate || document.hidden || isInUse(document.getElementById("main"))) return;
    isLate = false;
    htmx.trigger(listening, "changed");
  };
  const listen = () => {
    source = new EventSource(listening.dataset.events);
    source.addEventListener("jobs", () => { isLate = true; catchUp(); });
  };
  listen();
  document.addEventListener("visibilitychange", () => {
    source.close();
    if (!document.hidden && !listening.querySelector("[data-final]")) listen();
  });
  window.addEventListener("pagehide", () => source.close());
  listening.addEventListener("htmx:afterSwap", () => { if (listening.querySelector("[data-final]")) source.close(); });

  // An answer to an event that comes while the part is in use is left, and asked for again afterwards.
  document.body.addEventListener("htmx:beforeSwap", event => {
    const {elt, target, requestConfig} = event.detail;
    if (requestConfig.triggeringEvent?.type !== "changed" || !isInUse(target)) return;
    if (elt !== listening && elt.id !== "samples") return;
    event.detail.shouldSwap = false;
    isLate = true;
  });
  const after = () => { isPressed = false; setTimeout(catchUp); };
  for (const name of ["pointerup", "pointercancel", "keyup", "blur"]) window.addEventListener(name, after);
  for (const name of ["selectionchange", "pause"]) document.addEventListener(name, () => setTimeout(catchUp), true);
}
window.addEventListener("pointerdown", () => { isPressed = true; });
window.addEventListener("keydown", event => { if (event.key === " ") isPressed = true; });

// The second click of a double click, and a key that is held, do not start a second job.
document.addEventListener("click", event => {
  if (event.detail > 1 && event.target.closest("button[type=submit], [hx-post]")) {
    event.preventDefault();
    event.stopImmediatePropagation();
  }
}, true);
document.addEventListener("keydown", event => {
  if (event.repeat && event.key === "Enter" && event.target.matches("button")) event.preventDefault();
}, true);

// A log shows its end, and stays where a person has scrolled it to.
let above = null;
function showLog() {
  const log = document.getElementById("log");
  if (log) log.scrollTop = above ?? log.scrollHeight;
}
document.body.addEventListener("htmx:beforeSwap", () => {
  const log = document.getElementById("log");
  above = log && log.scrollTop + log.clientHeight < log.scrollHeight - 4 ? log.scrollTop : null;
});
document.body.addEventListener("htmx:afterSwap", showLog);
showLog();

// Fields with data-keep are remembered by this browser.
for (const field of document.querySelectorAll("[data-keep]")) {
  const name = "tts-train-" + field.dataset.keep;
  field.value = localStorage.getItem(name) || field.value;
  field.addEventListener("change", event => { localStorage.setItem(name, field.value); event.stopPropagation(); });
}

document.addEventListener("play", event => {
  for (const other of document.querySelectorAll("audio")) if (other !== event.target) other.pause();
}, true);

document.body.addEventListener("htmx:sendError", () => showStatus("The server does not answer. Is ./run.sh web still running?"));
