// Corrections: good parts are added to a new version, past parts are judged by it, and people decide.
import type { JobProgress } from "./job";
import { call, make, said, say, tell, verdict, type Job } from "./station";

const PAST = 1000;

interface Again { id: string; name: string; verdict: string | null; new_verdict: string }
interface Change extends Again { serial: string | null; label: string | null }
interface Golden extends Again { sha256: string; expected: "OK" | "NG"; right: boolean }

class TeachThese extends HTMLElement {
  connectedCallback(): void {
    const button = this.querySelector<HTMLButtonElement>(".teach");
    button?.addEventListener("click", () => void this.#act(() => this.#teach()));
    this.querySelectorAll("input").forEach((each) => each.addEventListener("change", () => this.#count()));
    this.addEventListener("ended", (event) => void this.#act(() => this.#ended((event as CustomEvent<Job>).detail)));
    const preview = this.getAttribute("preview");
    if (preview) void this.#act(async () => this.#show(await call<Job>("GET", `/api/v1/jobs/${preview}`), this.getAttribute("offer")!));
  }

  get #chosen(): string[] {
    return [...this.querySelectorAll<HTMLInputElement>("input:checked")].map((each) => each.value);
  }

  get #address(): string {
    return `/api/v1/recipes/${this.getAttribute("recipe")}`;
  }

  #count(): void {
    const button = this.querySelector<HTMLButtonElement>(".teach");
    if (!button) return;
    button.textContent = say("See what teaching these {count} would change", { count: this.#chosen.length });
    button.disabled = !this.#chosen.length;
  }

  /** Do something; where it cannot be done, say why. */
  async #act(act: () => Promise<void>): Promise<void> {
    tell(this.querySelector("[role=alert]"), "");
    try {
      await act();
    } catch (error) {
      tell(this.querySelector("[role=alert]"), (error as Error).message);
      this.#busy(false);
    }
  }

  #busy(busy: boolean): void {
    const button = this.querySelector<HTMLButtonElement>(".teach");
    if (button) button.disabled = busy;
  }

  async #teach(): Promise<void> {
    this.#busy(true);
    this.querySelector<HTMLElement>(".preview")!.hidden = true;
    this.#follow(await call<Job>("POST", `${this.#address}/versions`, { kind: "add", inspections: this.#chosen }));
  }

  #follow(job: Job): void {
    this.querySelector<JobProgress>("job-progress")!.follow(job.id);
  }

  async #ended(job: Job): Promise<void> {
    if (job.state !== "done") {
      this.#busy(false);
      if (job.state === "failed") throw new Error(await said(job.error ?? ""));
    } else if (job.kind === "add") {
      this.setAttribute("offer", job.version!);
      this.#follow(await call<Job>("POST", `${this.#address}/versions/${job.version}:preview`, { last: PAST }));
    } else {
      this.#busy(false);
      await this.#show(job, (job as any).ask.parent);
    }
  }

  async #show(job: Job, version: string): Promise<void> {
    const { judged, changes, threshold, golden } = job.result as { judged: number; changes: Change[]; threshold: number; golden: Golden[] };
    const place = this.querySelector<HTMLElement>(".preview")!;
    const button = make("button", { type: "button", class: "main promote" }, say("Teach them: put this version on line"));
    button.addEventListener("click", () => void this.#act(async () => {
      await call("POST", `${this.#address}:promote`, { version, reason: "good after all" });
      location.assign(`/recipes/${this.getAttribute("recipe")}/correct`);
    }));
    const worse = changes.filter((each) => each.label === "bad" && each.new_verdict === "OK").length;
    place.replaceChildren(
      make("h2", {}, say("What would change")),
      make("h3", {}, say("Past parts")),
      make("p", {}, say("Of the parts judged last, {count} of {all} would get another verdict; the threshold would be {threshold}.", {
        count: changes.length, all: judged, threshold: threshold.toPrecision(4),
      })),
      ...(worse ? [make("p", { class: "warning", role: "alert" }, say("{count} parts that people called really bad would pass.", { count: worse }))] : []),
      changes.length ? pastParts(changes) : "",
      ...this.#goldenPictures(golden),
      golden.every((each) => each.right) ? make("p", {}, button) : "",
    );
    place.hidden = false;
    place.scrollIntoView({ block: "nearest" });
  }

  /** What is said of golden pictures, apart from past parts: one that is judged wrongly keeps the version off the line. */
  #goldenPictures(golden: Golden[]): (HTMLElement | string)[] {
    const head = make("h3", {}, say("Golden pictures"));
    if (!golden.length) return [head, make("p", {}, say("There are no golden pictures to judge."))];
    const wrong = golden.filter((each) => !each.right).length;
    const told = wrong
      ? make("p", { class: "warning", role: "alert" }, say("{count} of {all} golden pictures would be judged wrongly, so this version cannot go on line. Take out what it should not learn, and look again.", { count: wrong, all: golden.length }))
      : make("p", { class: "fine" }, say("All {count} golden pictures would be judged rightly.", { count: golden.length }));
    const rows = golden.map((each) => [
      make("span", {}, make("img", { src: `${this.#address}/images/${each.sha256}?shown=true`, alt: "", loading: "lazy", class: "small" }), ` ${each.name}`),
      each.expected === "OK" ? say("must never be NG") : say("must never be OK"),
      each.verdict ? verdict(each.verdict) : "-",
      make("span", {}, verdict(each.new_verdict), each.right ? "" : ` ${say("wrong")}`),
    ]);
    return [head, told, table(say("Golden pictures"), [say("Picture"), say("Known"), say("Verdict now"), say("New verdict")], rows)];
  }
}

function pastParts(changes: Change[]): HTMLElement {
  const rows = changes.map((each) => [
    make("a", { href: `/results/${each.id}` }, each.serial ?? each.name), verdict(each.verdict!), verdict(each.new_verdict),
  ]);
  return table(say("Past parts"), [say("Part"), say("Verdict"), say("New verdict")], rows);
}

function table(name: string, head: string[], rows: (Node | string)[][]): HTMLElement {
  return make("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": name }, make("table", {},
    make("thead", {}, make("tr", {}, ...head.map((text) => make("th", { scope: "col" }, text)))),
    make("tbody", {}, ...rows.map((row) => make("tr", {}, ...row.map((each) => make("td", {}, each)))))));
}

customElements.define("teach-these", TeachThese);
