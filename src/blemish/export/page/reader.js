// Judges pictures by an export of blemish, as docs/export.md describes it: sizes, cells, verdict, map and regions.
import { documentOf } from "./file.js";
import * as ort from "./ort/ort.wasm.min.mjs";

const CALM = 0.05; // the share of a map that its floor is taken from
const WITHIN = 0.7; // the most of the way from the extent to its peak that a region is drawn in
const LEAST_END = 1 / 32, LONGER_END = 2, FEWEST_LINES = 4; // what a constant end is: docs/export.md
const BITS = 22; // Pillow weighs 8-bit pixels by whole numbers of so many bits

/** Loads model.onnx, and reads in it how to judge; throws an Error with one sentence where it cannot be used. */
export async function load(base) {
  ort.env.wasm.wasmPaths = new URL("./ort/", import.meta.url).href;
  ort.env.wasm.numThreads = globalThis.crossOriginIsolated ? navigator.hardwareConcurrency : 1;
  const content = new Uint8Array(await (await fetched(new URL("model.onnx", base))).arrayBuffer());
  const about = await documentOf(content);
  if (about.input.pixels !== "uint8") throw new Error("The model judges 16-bit or float pictures, which browsers do not decode.");
  if (about.places || about.input.resize === "crop" || about.only_cells)
    throw new Error("The page cannot judge by a model with areas or a crop, nor by PaDiM.");
  const session = await ort.InferenceSession.create(content, { executionProviders: ["wasm"] });
  return { about, session };
}

async function fetched(address) {
  const answer = await fetch(address);
  if (!answer.ok) throw new Error(`${address.pathname} is not there; export the page again.`);
  return answer;
}

/** How far from the threshold a score is: a multiple of it, or the difference where scores are no distances. */
function fromThreshold(score, threshold, unit) {
  if (unit.startsWith("distance") && threshold > 0) return `${(score / threshold).toFixed(2)} x threshold`;
  return `${Math.abs(score - threshold).toPrecision(3)} ${score > threshold ? "above" : "below"} the threshold`;
}

/** Judges a picture (a Blob): verdict, score, map and regions at the picture's size, and its pixels. */
export async function judge({ about, session }, blob) {
  await checkKind(blob);
  const bitmap = await createImageBitmap(blob, { colorSpaceConversion: "none", premultiplyAlpha: "none" });
  const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(bitmap, 0, 0);
  const picture = context.getImageData(0, 0, bitmap.width, bitmap.height);
  checkWhole(about, picture);
  const began = performance.now();
  const { feeds, place } = prepared(about, picture);
  const answer = await session.run(feeds);
  const milliseconds = performance.now() - began;
  const score = answer.score.data[0];
  if (!Number.isFinite(score)) throw new Error("The network answers NaN or infinity; leave the picture out.");
  const { threshold, review_threshold } = about.thresholds;
  const end = Math.max(constantEnd(picture, false), constantEnd(picture, true));
  const doubted = about.end !== null && end >= Math.max(LEAST_END, LONGER_END * about.end);
  const verdict = score > threshold ? "NG" : score > review_threshold || doubted ? "REVIEW" : "OK";
  const map = answer.map && carriedBack(answer.map.data, about.input, place, picture);
  const sorted = answer.map && Float32Array.from(answer.map.data).sort();
  const floor = sorted && sorted[Math.trunc(CALM * (sorted.length - 1))], peak = sorted && sorted[sorted.length - 1];
  const regions = map ? regionsOf(map, picture.width, picture.height, peak, floor, about.thresholds) : [];
  return { verdict, score, map, regions, picture, milliseconds, fromThreshold: fromThreshold(score, threshold, about.unit) };
}

const HEAD = 1 << 16; // bytes at the start of a file, in which it says what it is
const KINDS = /^(\x89PNG|\xff\xd8\xff|BM|RIFF[^]{4}WEBP)/;

/** Refuses what the model would not read, though browsers do: other formats, several frames, PNG cut from 16 to 8 bits. */
async function checkKind(blob) {
  const bytes = new Uint8Array(await blob.slice(0, HEAD).arrayBuffer());
  const head = Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
  if (!KINDS.test(head)) throw new Error("The file is no picture in JPEG, PNG, WebP or BMP; convert it.");
  const png = head[1] === "P";
  if (png && bytes[24] === 16) throw new Error("The picture has 16 bits, but the model was fitted on pictures of 8; convert it.");
  const moves = png ? head.split("IDAT")[0].includes("acTL") : head.slice(8, 16) === "WEBPVP8X" && bytes[20] & 2;
  if (moves) throw new Error("The file holds several frames; save the one to inspect as its own file.");
}

/** Refuses what the model refuses for its size, and where a browser does not tell the colours. */
function checkWhole({ max_pixels, max_side }, { data, width, height }) {
  if (width * height > max_pixels || Math.max(width, height) > max_side)
    throw new Error(`The picture is ${width} x ${height} pixels, more than the model takes; is it one of its parts?`);
  for (let at = 3; at < data.length; at += 4)
    if (data[at] !== 255) throw new Error("The picture is transparent in places, and browsers do not tell its colours there; save it without.");
}

/** The share of the last rows (or columns) that hold one constant value. */
function constantEnd({ data, width, height }, columns) {
  const [lines, length, step, across] = columns ? [width, height, 1, width] : [height, width, width, 1];
  const last = (width * height - 1) * 4;
  let count = 0;
  for (; count < lines; count++)
    for (let i = 0; i < length; i++) {
      const at = ((lines - 1 - count) * step + i * across) * 4;
      if (data[at] !== data[last] || data[at + 1] !== data[last + 1] || data[at + 2] !== data[last + 2])
        return count < FEWEST_LINES ? 0 : count / lines;
    }
  return count < FEWEST_LINES ? 0 : 1;
}

function prepared(about, picture) {
  const place = placed(about.input, picture.width, picture.height);
  const feeds = { image: new ort.Tensor("uint8", sized(picture, about.input, place, parseInt(about.pillow) >= 13), [about.input.height, about.input.width, 3]) };
  for (const { name, rows, columns } of about.cells) {
    const down = onImage(rows, about.input.height, place.y, place.height);
    const across = onImage(columns, about.input.width, place.x, place.width);
    const cells = new Int32Array(rows * columns);
    down.forEach((row, i) => across.forEach((column, j) => { cells[i * columns + j] = row * columns + column; }));
    feeds[name] = new ort.Tensor("int32", cells, [rows, columns]);
  }
  return { feeds, place };
}

/** Halves are rounded to the even number. */
function round(value) {
  const down = Math.floor(value), rest = value - down;
  return rest < 0.5 || (rest === 0.5 && down % 2 === 0) ? down : down + 1;
}

/** Where the picture lies in the input. */
function placed({ height, width, resize, tiling }, pictureWidth, pictureHeight) {
  if (resize === "stretch") return { x: 0, y: 0, width, height };
  const near = (side, own) => side - own >= 0 && side - own < tiling.unit;
  const kept = tiling && near(height, pictureHeight) && near(width, pictureWidth);
  const scale = kept ? 1 : Math.min(height / pictureHeight, width / pictureWidth);
  const h = Math.max(1, round(pictureHeight * scale)), w = Math.max(1, round(pictureWidth * scale));
  return { x: Math.floor((width - w) / 2), y: Math.floor((height - h) / 2), width: w, height: h };
}

/** Along one side, the cell whose score each cell shows. */
function onImage(count, side, start, length) {
  const centres = Array.from({ length: count }, (_, i) => ((i + 0.5) * side) / count);
  let on = centres.flatMap((centre, i) => (centre >= start && centre < start + length ? [i] : []));
  const off = centres.map((centre) => Math.abs(centre - (start + length / 2)));
  if (!on.length) on = [off.indexOf(Math.min(...off))];
  return centres.map((_, i) => Math.min(Math.max(i, on[0]), on[on.length - 1]));
}

/** The picture as the network sees it: height x width x 3; from Pillow 13 on, columns may be resized before rows. */
function sized(picture, { height, width }, place, downFirst) {
  const colours = new Uint8Array(picture.width * picture.height * 3);
  for (let i = 0; i < picture.width * picture.height; i++)
    for (let c = 0; c < 3; c++) colours[i * 3 + c] = picture.data[i * 4 + c];
  const across = (pixels, rows) => resized(pixels, rows, picture.width, place.width, 3);
  const down = (pixels, columns) =>
    transposed(resized(transposed(pixels, picture.height, columns), columns, picture.height, place.height, 3), columns, place.height);
  const lost = picture.height - place.height;
  const inner = downFirst && lost > 0 && lost > 2 * (picture.width - place.width)
    ? across(down(colours, picture.width), place.height) : down(across(colours, picture.height), place.width);
  const whole = new Uint8Array(height * width * 3);
  for (let y = 0; y < height; y++) {
    const row = Math.min(Math.max(y - place.y, 0), place.height - 1);
    for (let x = 0; x < width; x++) {
      const from = (row * place.width + Math.min(Math.max(x - place.x, 0), place.width - 1)) * 3;
      for (let c = 0; c < 3; c++) whole[(y * width + x) * 3 + c] = inner[from + c];
    }
  }
  return whole;
}

function transposed(pixels, rows, columns) {
  const turned = new Uint8Array(pixels.length);
  for (let y = 0; y < rows; y++)
    for (let x = 0; x < columns; x++)
      for (let c = 0; c < 3; c++) turned[(x * rows + y) * 3 + c] = pixels[(y * columns + x) * 3 + c];
  return turned;
}

/** Rows resized by a triangle, wider where they shrink, with whole numbers as weights and halves rounded up. */
function resized(pixels, rows, from, to, channels) {
  if (from === to) return pixels;
  const scale = from / to, stretch = Math.max(scale, 1), out = new Uint8Array(rows * to * channels);
  for (let x = 0; x < to; x++) {
    const centre = (x + 0.5) * scale;
    const first = Math.max(0, Math.trunc(centre - stretch + 0.5)), last = Math.min(from, Math.trunc(centre + stretch + 0.5));
    const weights = [];
    for (let i = first; i < last; i++) weights.push(Math.max(0, 1 - Math.abs((i - centre + 0.5) / stretch)));
    const sum = weights.reduce((a, b) => a + b, 0);
    const whole = weights.map((weight) => Math.trunc(0.5 + (weight / sum) * (1 << BITS)));
    for (let y = 0; y < rows; y++)
      for (let c = 0; c < channels; c++) {
        let value = 1 << (BITS - 1);
        for (let i = 0; i < whole.length; i++) value += pixels[(y * from + first + i) * channels + c] * whole[i];
        out[(y * to + x) * channels + c] = Math.min(255, Math.max(0, value >> BITS));
      }
  }
  return out;
}

/** The map at the picture's size: what shows the picture, resized bilinearly with half-pixel centres. */
function carriedBack(map, { width }, place, picture) {
  const out = new Float32Array(picture.width * picture.height);
  const along = (i, to, from) => {
    const at = Math.min(Math.max(((i + 0.5) * from) / to - 0.5, 0), from - 1), low = Math.floor(at);
    return [low, Math.min(low + 1, from - 1), at - low];
  };
  const columns = Array.from({ length: picture.width }, (_, x) => along(x, picture.width, place.width));
  for (let y = 0; y < picture.height; y++) {
    const [top, bottom, v] = along(y, picture.height, place.height);
    const upper = (top + place.y) * width + place.x, lower = (bottom + place.y) * width + place.x;
    columns.forEach(([left, right, u], x) => {
      const above = map[upper + left] * (1 - u) + map[upper + right] * u;
      const below = map[lower + left] * (1 - u) + map[lower + right] * u;
      out[y * picture.width + x] = above * (1 - v) + below * v;
    });
  }
  return out;
}

/** As docs/export.md says: blobs that pass the threshold, drawn in where even the calmest part of the map lies high. */
function regionsOf(map, width, height, peak, floor, { map_threshold, map_extent, map_floor, rise }) {
  if (peak <= map_threshold) return [];
  const mask = Uint8Array.from(map, (value) => value > map_extent);
  const drawnIn = map_floor === null ? 0 : rise * Math.max(0, floor - map_floor);
  if (drawnIn > 0)
    for (const blob of blobs(map, mask, width, height)) {
      const level = map_extent + Math.min(drawnIn, WITHIN * (blob.score - map_extent));
      for (const at of blob.pixels) if (map[at] <= level) mask[at] = 0;
    }
  return blobs(map, mask, width, height).filter((blob) => blob.score > map_threshold).sort((a, b) => b.score - a.score);
}

/** The pixels of a mask that are joined with all 8 neighbours. */
function blobs(map, mask, width, height) {
  const seen = new Uint8Array(map.length), found = [];
  for (let start = 0; start < map.length; start++) {
    if (seen[start] || !mask[start]) continue;
    const pixels = [start];
    let left = width, right = 0, top = height, bottom = 0, score = -Infinity;
    seen[start] = 1;
    for (let number = 0; number < pixels.length; number++) {
      const at = pixels[number], x = at % width, y = (at - x) / width;
      left = Math.min(left, x); right = Math.max(right, x); top = Math.min(top, y); bottom = Math.max(bottom, y);
      score = Math.max(score, map[at]);
      for (let j = Math.max(0, y - 1); j <= Math.min(height - 1, y + 1); j++)
        for (let i = Math.max(0, x - 1); i <= Math.min(width - 1, x + 1); i++) {
          const next = j * width + i;
          if (!seen[next] && mask[next]) { seen[next] = 1; pixels.push(next); }
        }
    }
    found.push({ x: left, y: top, width: right - left + 1, height: bottom - top + 1, score, pixels });
  }
  return found;
}
