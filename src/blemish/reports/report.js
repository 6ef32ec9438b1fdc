// The movable threshold: scores above it are NG. Everything it changes stands in the page already, at the model's own.
"use strict";
const data = JSON.parse(document.getElementById("scores").textContent);
const slider = document.getElementById("threshold");
const typed = document.getElementById("typed");
const scale = document.querySelector(".scores");
const above = (scores, threshold) => scores.filter((score) => score > threshold).length;
const percent = (part, whole) => (whole ? `${(100 * part / whole).toFixed(1)} %` : "-");

function put(name, text) {
  for (const cell of document.querySelectorAll(`[data-out="${name}"]`)) cell.textContent = text;
}

function place(name, x, y) {
  const point = document.querySelector(`[data-point="${name}"]`);
  if (!point) return;
  point.style.setProperty("--x", `${100 * x}%`);
  point.style.setProperty("--y", `${100 * (1 - y)}%`);
}

function show(threshold) {
  const rejected = above(data.good, threshold);
  const bad = Object.values(data.defective).flat();
  const caught = above(bad, threshold);
  put("false rejects", percent(rejected, data.good.length));
  put("rejected", `${rejected} / ${data.good.length}`);
  put("misses", percent(bad.length - caught, bad.length));
  put("missed", `${bad.length - caught} / ${bad.length}`);
  const held = above(data.heldOut, threshold);
  put("held out", percent(held, data.heldOut.length));
  put("held out above", `${held} / ${data.heldOut.length}`);
  Object.values(data.defective).forEach((scores, number) => put(`missed ${number}`, scores.length - above(scores, threshold)));
  const tpr = caught / bad.length;
  place("roc", rejected / data.good.length, tpr);
  if (rejected + caught) place("pr", tpr, caught / (rejected + caught));
  const at = Math.min(1, Math.max(0, (threshold - data.low) / (data.high - data.low)));
  scale.style.setProperty("--at", `${100 * at}%`);
  scale.querySelector(".above").classList.toggle("edge", at > 0.9);
}

function move(threshold) {
  slider.value = threshold;
  typed.value = Number(threshold.toPrecision(6));
  slider.setAttribute("aria-valuetext", typed.value);
  show(threshold);
}

const STEPS = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1, PageUp: 20, PageDown: -20 };
slider.addEventListener("keydown", (event) => {
  if (!(event.key in STEPS)) return;
  event.preventDefault();
  const moved = Number(slider.value) + STEPS[event.key] * (data.high - data.low) / 400;
  move(Math.min(data.high, Math.max(data.low, moved)));
});
slider.addEventListener("input", () => move(Number(slider.value)));
typed.addEventListener("change", () => {
  if (Number.isFinite(typed.valueAsNumber)) move(typed.valueAsNumber);
});
for (const button of document.querySelectorAll("[data-threshold]"))
  button.addEventListener("click", () => move(Number(button.dataset.threshold)));
document.querySelector(".controls").hidden = false;
move(data.threshold);
