// Events of the server, and what all pages share. Everything else is in attributes that htmx reads.
"use strict";

function showStatus(text) {
  const status = document.getElementById("status");
  status.textContent = text;
  clearTimeout(showStatus.timer);
  showStatus.timer = setTimeout(() => { status.textContent = ""; }, 6000);
}

// An element with data-events is asked to load itself again whenever the server says that something has changed.
for (const listening of document.querySelectorAll("[data-events]")) {
  let waits = false;
  const source = new EventSource(listening.dataset.events);
  source.addEventListener("jobs", () => {
    if (document.hidden) { waits = true; return; }
    htmx.trigger(listening, "changed");
  });
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden && waits) { waits = false; htmx.trigger(listening, "changed"); }
  });
  window.addEventListener("pagehide", () => source.close());
}

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
