// What all elements use: sentences in the reader's language, calls of the API, and events of the station.

const words: Record<string, string> = JSON.parse(document.getElementById("says")?.textContent || "{}");

/** A sentence in the reader's language; `{name}` in it is filled from `values`, and a `count` of 1 has its own. */
export function say(english: string, values: Record<string, string | number> = {}): string {
  const one = values.count === 1 ? words[`1:${english}`] : undefined;
  return (one ?? words[english] ?? english).replace(/\{(\w+)\}/g, (hole, name: string) => String(values[name] ?? hole));
}

/** What the station said, in the reader's language: it knows all sentences, and pages know only their own. */
export async function said(text: string): Promise<string> {
  if (document.documentElement.lang === "en" || !text) return text;
  const answer = await fetch(`/sentence?text=${encodeURIComponent(text.slice(0, 2000))}`);
  return answer.ok ? answer.text() : text;
}

export interface Part {
  id: string;
  recipe: string;
  verdict: string;
  score: number | null;
  threshold: number | null;
  times_threshold: number | null;
  percentile: number | null;
  serial: string | null;
  name: string;
  error: string | null;
  label: string | null;
  image: string;
  links: Record<"self" | "image" | "overlay", string>;
}

export interface Job {
  id: string;
  kind: string;
  state: "queued" | "running" | "done" | "failed" | "cancelled";
  step: string;
  done: number;
  total: number;
  error: string | null;
  version: string | null;
  result: any;
}

/** Call the API; gives what it answers. Throws Error with the sentence of the problem. */
export async function call<T>(method: string, address: string, body?: unknown, headers: HeadersInit = {}): Promise<T> {
  const plain = body === undefined || body instanceof FormData || body instanceof Blob;
  let answer: Response;
  try {
    answer = await fetch(address, {
      method,
      headers: plain ? headers : { ...headers, "Content-Type": "application/json" },
      body: plain ? (body as BodyInit | undefined) : JSON.stringify(body),
    });
  } catch {
    throw new Error(say("The station does not answer; is it running, and the network in order?"));
  }
  if (answer.ok) return answer.status === 204 ? (undefined as T) : answer.json();
  const problem = await answer.json().catch(() => ({ detail: `${answer.status} ${answer.statusText}` }));
  const places = (problem.errors ?? []).map((each: { pointer?: string; detail?: string }) =>
    `${(each.pointer ?? "").split("/").pop()}: ${each.detail ?? ""}`).join("; ");
  throw new Error((await said(problem.detail)) + (places ? ` ${places}` : ""));
}

/** Make an element with its attributes and what stands in it; text is only ever text. */
export function make(tag: string, attributes: Record<string, string> = {}, ...inside: (Node | string)[]): HTMLElement {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...inside);
  return made;
}

/** The mark and the word of a verdict, as the templates have them. */
export function verdict(name: string): HTMLElement {
  const shape = { OK: "●", NG: "✕", REVIEW: "▲" }[name] ?? "■";
  return make("span", { class: `verdict ${name}` }, make("span", { "aria-hidden": "true" }, `${shape} `), name);
}

/** Say something in an element and show it; hide it where there is nothing to say. */
export function tell(place: HTMLElement | null, text: string): void {
  if (!place) return;
  place.textContent = text;
  place.hidden = !text;
}

/** Where a part's picture is as a browser can show it: none shows a TIFF. */
export function seen(part: Part): string {
  return `${part.links.image}?shown=true`;
}

/** What stands in the place of a part's picture; nothing where it can be asked for. */
export function gone(part: Part): string {
  const why: Record<string, string> = {
    expired: say("Its picture is not kept any more."),
    lost: say("Its picture could not be kept."),
    off: say("Pictures of this recipe are not kept."),
  };
  return why[part.image] ?? "";
}

interface Ear { kind: string; hears: (event: MessageEvent) => void; hear: (data: any) => void }

const AGAIN = 3000;
const ears = new Set<Ear>();
const silences = new Set<(silent: boolean) => void>();
let stream: EventSource | undefined;

/** Hear of events of a kind; data without an id says that some may not have been heard, so look again. Gives what ends it. */
export function listen(kind: string, hear: (data: any) => void): () => void {
  const ear = { kind, hear, hears: (event: MessageEvent) => hear(JSON.parse(event.data)) };
  ears.add(ear);
  if (stream) attach(stream, ear);
  else open();
  return () => {
    ears.delete(ear);
    stream?.removeEventListener(kind, ear.hears);
    stream?.removeEventListener("missed", ear.hears);
  };
}

/** Hear that the station has fallen silent, again and again as long as it is, and once that it speaks again. */
export function listenForSilence(hear: (silent: boolean) => void): () => void {
  silences.add(hear);
  return () => void silences.delete(hear);
}

function attach(stream: EventSource, ear: Ear): void {
  stream.addEventListener(ear.kind, ear.hears);
  stream.addEventListener("missed", ear.hears);
}

// A browser has six connections to a station, for all its tabs: those that nobody sees give theirs back.
function open(): void {
  if (stream || document.hidden || !ears.size) return;
  stream = new EventSource("/api/v1/events");
  stream.addEventListener("open", () => {
    silences.forEach((hear) => hear(false));
    ears.forEach((ear) => ear.hear({})); // what came before it was open
  });
  stream.addEventListener("error", () => {
    silences.forEach((hear) => hear(true));
    if (stream?.readyState !== EventSource.CLOSED) return; // the browser tries again by itself
    close(); // after an answer that is no stream, as a proxy's while the station starts, it never would
    window.setTimeout(open, AGAIN);
  });
  ears.forEach((ear) => attach(stream!, ear));
}

function close(): void {
  stream?.close();
  stream = undefined;
}

document.addEventListener("visibilitychange", () => (document.hidden ? close() : open()));
addEventListener("pagehide", close);
addEventListener("pageshow", open);

/** Whether a key was meant for a page and not for a field of it. */
export function isForThePage(event: KeyboardEvent): boolean {
  const at = event.target as HTMLElement;
  return !event.ctrlKey && !event.altKey && !event.metaKey && !at.closest("input, select, textarea, dialog[open]");
}
