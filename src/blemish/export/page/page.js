// The page: pictures that are dropped or chosen, or named behind # (page#a.png,b.png), are judged one after the other.
import { judge, load } from "./reader.js";

const about = document.getElementById("about"), drop = document.getElementById("drop"), results = document.getElementById("results");

/** Heat from where the map passes what good parts do not, yellow to red, and the boxes of the regions. */
function drawn({ picture, map, regions }, { map_threshold, map_extent }, unit) {
  const canvas = document.createElement("canvas");
  canvas.width = picture.width; canvas.height = picture.height;
  const context = canvas.getContext("2d");
  const hottest = unit.startsWith("distance") ? 1.5 * map_threshold : map_threshold + 2;
  const full = Math.max(hottest - map_extent, 1e-6);
  for (let i = 0; map && i < map.length; i++) {
    const level = Math.min(1, Math.max(0, (map[i] - map_extent) / full)), weight = 0.65 * Math.sqrt(level);
    [255 - 25 * level, 220 * (1 - level), 0].forEach((colour, c) => {
      picture.data[i * 4 + c] = picture.data[i * 4 + c] * (1 - weight) + colour * weight;
    });
  }
  context.putImageData(picture, 0, 0);
  context.strokeStyle = "#00d2ff";
  context.lineWidth = Math.max(1, Math.max(canvas.width, canvas.height) / 250);
  for (const { x, y, width, height } of regions) context.strokeRect(x, y, width, height);
  return canvas;
}

function line(words, kind = "") {
  const paragraph = document.createElement("p");
  paragraph.className = kind; paragraph.textContent = words;
  return paragraph;
}

async function show(model, name, blob) {
  const item = document.createElement("li");
  try {
    const found = await judge(model, blob);
    const canvas = drawn(found, model.about.thresholds, model.about.unit);
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", `${name}: ${found.verdict}, ${found.regions.length} regions`);
    item.append(canvas, line(found.verdict, `verdict ${found.verdict}`));
    item.append(line(`${found.fromThreshold}, ${found.regions.length} regions, ${found.milliseconds.toFixed(0)} ms`));
    const { x, y, width, height } = found.regions[0] ?? {};
    item.dataset.result = JSON.stringify({ name, verdict: found.verdict, score: found.score, box: [x, y, width, height],
      regions: found.regions.length, peak: found.map ? found.map.reduce((a, b) => Math.max(a, b)) : null, milliseconds: found.milliseconds });
  } catch (error) {
    item.append(line("ERROR", "verdict ERROR"), line(error.message));
    item.dataset.result = JSON.stringify({ name, verdict: "ERROR", error: error.message });
  }
  item.append(line(name));
  results.append(item);
}

async function start() {
  const model = await load(document.baseURI);
  about.textContent = `Model ${model.about.model.slice(0, 12)}, ${model.about.method}. Pictures stay on this machine.`;
  const all = async (files) => { for (const file of files) await show(model, file.name, file); };
  document.getElementById("choose").addEventListener("change", (event) => all(event.target.files));
  drop.addEventListener("dragover", (event) => { event.preventDefault(); drop.classList.add("over"); });
  drop.addEventListener("dragleave", () => drop.classList.remove("over"));
  drop.addEventListener("drop", (event) => { event.preventDefault(); drop.classList.remove("over"); all(event.dataTransfer.files); });
  for (const name of decodeURIComponent(location.hash.slice(1)).split(",").filter(Boolean)) {
    const answer = await fetch(name);
    await show(model, name, answer.ok ? await answer.blob() : new Blob());
  }
  document.documentElement.dataset.ready = "yes";
}

start().catch((error) => { about.textContent = error.message; document.documentElement.dataset.ready = "no"; });
