// The metrics of a job, one plot each, drawn again when the job has gone on.
"use strict";

const COLOURS = ["#2a6f97", "#c8553d", "#588b3e", "#8a5a9e", "#b07d2b", "#3f8f8a"];
let plots = [], asked = 0;

async function drawCurves() {
  const section = document.getElementById("curves");
  const turn = ++asked;
  const answer = await fetch(section.dataset.metrics);
  if (!answer.ok) return;
  const {at, names, columns, advice} = await answer.json();
  if (turn !== asked) return;  // a later one was asked for
  const said = document.getElementById("advice");
  said.hidden = !advice;
  said.querySelector("p").textContent = advice;
  document.getElementById("stop-row").hidden = !document.getElementById("job").dataset.events || document.querySelector("#job .state").textContent !== "running";
  section.hidden = names.length === 0;
  const place = document.getElementById("plots"), style = getComputedStyle(document.body);
  const ink = style.getPropertyValue("--muted").trim(), line = style.getPropertyValue("--line").trim();
  if (plots.length !== names.length) {
    for (const plot of plots) plot.destroy();
    place.replaceChildren();
    plots = names.map((name, n) => {
      const box = document.createElement("div");
      box.className = "plot";
      box.setAttribute("role", "img");
      box.setAttribute("aria-label", "curve of " + name);
      place.append(box);
      const axis = {stroke: ink, grid: {stroke: line, width: 1}, ticks: {stroke: line}};
      return new uPlot({
        title: name, width: Math.max(280, box.clientWidth), height: 220, legend: {live: true}, scales: {x: {time: false}},
        series: [{label: "at"}, {label: name, stroke: COLOURS[n % COLOURS.length], width: 1.5, spanGaps: true}],
        axes: [axis, {...axis, size: 70, values: (plot, all) => all.map(one => String(Number(one.toPrecision(3))))}],
      }, [at, columns[n]], box);
    });
  } else {
    plots.forEach((plot, n) => plot.setData([at, columns[n]]));
  }
}

drawCurves();
document.getElementById("job").addEventListener("htmx:afterSwap", drawCurves);
window.addEventListener("resize", () => { for (const plot of plots) plot.setSize({width: Math.max(280, plot.root.parentElement.clientWidth), height: 220}); });
