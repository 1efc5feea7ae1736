// The chapter's sound, with the passage lit that is spoken; without it, the take of a passage alone.
"use strict";

const sound = document.getElementById("chapter-sound"), alone = new Audio();
const passages = [...document.querySelectorAll(".passages li[data-from]")];

if (sound) {
  sound.addEventListener("timeupdate", () => {
    for (const one of passages) {
      const isSpoken = sound.currentTime >= one.dataset.from && sound.currentTime < one.dataset.to;
      if (isSpoken && !one.classList.contains("lit") && !sound.paused) one.scrollIntoView({block: "nearest"});
      one.classList.toggle("lit", isSpoken);
    }
  });
}

document.addEventListener("click", event => {
  const button = event.target.closest("[data-say]");
  if (!button) return;
  if (sound) {
    sound.currentTime = Number(button.closest("li").dataset.from);
    sound.play();
  } else {
    alone.src = button.dataset.say;
    alone.play().catch(() => showStatus("This take cannot be played."));
  }
});
