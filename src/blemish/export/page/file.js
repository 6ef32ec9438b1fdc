// What an export says of itself, and whether it is as it was written: docs/export.md describes its last bytes.
const DIGITS = 64, SEAL = 84; // of the hash, and of the entry that holds it
const METADATA = 14, LENGTH = 2; // the field of a model, and how fields of a known length are told
const WIDTHS = { 1: 8, 5: 4 }; // bytes of fields that have always as many

/** The document in an export (a Uint8Array); throws an Error with one sentence where it cannot be used. */
export async function documentOf(content) {
  const seal = new TextDecoder().decode(content.subarray(content.length - DIGITS));
  if (content.length < SEAL || (await sha256(content.subarray(0, content.length - SEAL))) !== seal)
    throw new Error("The model was changed after it was exported; export it again.");
  const text = metadata(content).get("blemish");
  if (!text) throw new Error("The model is no export of blemish; export the page again.");
  const about = JSON.parse(text);
  if (about.format !== 1) throw new Error("The model was exported by a newer blemish; export this page by that version.");
  return about;
}

/** The metadata of an ONNX file: its fields are walked over, and those that are entries are read. */
function metadata(content) {
  const found = new Map();
  for (const entry of fields(content, METADATA)) {
    const [key, value] = [1, 2].map((field) => new TextDecoder().decode(fields(entry, field)[0]));
    found.set(key, value);
  }
  return found;
}

/** The bytes of all fields of one number in a message of protobuf. */
function fields(bytes, wanted) {
  const found = [];
  let at = 0;
  const number = () => {
    for (let value = 0, factor = 1; ; factor *= 128) {
      const byte = bytes[at++];
      value += (byte & 127) * factor;
      if (!(byte & 128)) return value;
    }
  };
  while (at < bytes.length) {
    const tag = number(), kind = tag & 7;
    if (kind === 0) { number(); continue; }
    const length = kind === LENGTH ? number() : WIDTHS[kind];
    if (tag >> 3 === wanted) found.push(bytes.subarray(at, at + length));
    at += length;
  }
  return found;
}

/** The SHA-256 of bytes, in hexadecimal digits; browsers offer theirs to pages of https and localhost alone. */
export async function sha256(bytes) {
  if (!globalThis.crypto?.subtle) return ownSha256(bytes);
  return digits(new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)));
}

const digits = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");

/** The same without the browser's help. */
export function ownSha256(bytes) {
  const [state, cubes] = constants(), words = new Uint32Array(64);
  const padded = new Uint8Array(Math.ceil((bytes.length + 9) / 64) * 64);
  padded.set(bytes);
  padded[bytes.length] = 0x80;
  const view = new DataView(padded.buffer);
  view.setUint32(padded.length - 8, Math.floor(bytes.length / 2 ** 29));
  view.setUint32(padded.length - 4, (bytes.length * 8) >>> 0);
  for (let block = 0; block < padded.length; block += 64) mixed(state, cubes, words, view, block);
  const answer = new DataView(new ArrayBuffer(32));
  state.forEach((value, i) => answer.setUint32(4 * i, value));
  return digits(new Uint8Array(answer.buffer));
}

/** One block of 64 bytes is mixed into the state. */
function mixed(state, cubes, words, view, block) {
  const turn = (x, n) => (x >>> n) | (x << (32 - n));
  for (let i = 0; i < 16; i++) words[i] = view.getUint32(block + 4 * i);
  for (let i = 16; i < 64; i++) {
    const near = words[i - 2], far = words[i - 15];
    words[i] = words[i - 16] + (turn(far, 7) ^ turn(far, 18) ^ (far >>> 3)) + words[i - 7] + (turn(near, 17) ^ turn(near, 19) ^ (near >>> 10));
  }
  let [a, b, c, d, e, f, g, h] = state;
  for (let i = 0; i < 64; i++) {
    const one = (h + (turn(e, 6) ^ turn(e, 11) ^ turn(e, 25)) + ((e & f) ^ (~e & g)) + cubes[i] + words[i]) | 0;
    const two = ((turn(a, 2) ^ turn(a, 13) ^ turn(a, 22)) + ((a & b) ^ (a & c) ^ (b & c))) | 0;
    [h, g, f, e, d, c, b, a] = [g, f, e, (d + one) | 0, c, b, a, (one + two) | 0];
  }
  [a, b, c, d, e, f, g, h].forEach((value, i) => { state[i] += value; });
}

/** The first bits of the square roots of the first primes, and of the cube roots of more of them. */
function constants() {
  const primes = [];
  for (let n = 2; primes.length < 64; n++) if (primes.every((prime) => n % prime)) primes.push(n);
  return [Uint32Array.from(primes.slice(0, 8), (prime) => bits(prime, 2)), Uint32Array.from(primes, (prime) => bits(prime, 3))];
}

/** The largest whole x with x ** power <= prime * 2 ** (32 * power), less its bits above 32. */
function bits(prime, power) {
  const whole = BigInt(prime) << BigInt(32 * power);
  let found = 0n;
  for (let bit = 1n << 40n; bit; bit >>= 1n) if ((found + bit) ** BigInt(power) <= whole) found += bit;
  return Number(found & 0xffffffffn);
}
