// Corrections: good parts are added to a new version, past parts are judged by it, and people decide.
import type { JobProgress } from "./job";
import { call, make, said, say, tell, verdict, type Job } from "./station";

const PAST = 1000;

interface Change { id: string; name: string; serial: string | null; verdict: string; new_verdict: string; label: string | null }

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
    const { judged, changes, threshold } = job.result as { judged: number; changes: Change[]; threshold: number };
    const place = this.querySelector<HTMLElement>(".preview")!;
    const button = make("button", { type: "button", class: "main promote" }, say("Teach them: put this version on line"));
    button.addEventListener("click", () => void this.#act(async () => {
      await call("POST", `${this.#address}:promote`, { version, reason: "good after all" });
      location.assign(`/recipes/${this.getAttribute("recipe")}/correct`);
    }));
    const worse = changes.filter((each) => each.label === "bad" && each.new_verdict === "OK").length;
    place.replaceChildren(
      make("h2", {}, say("What would change")),
      make("p", {}, say("Of the parts judged last, {count} of {all} would get another verdict; the threshold would be {threshold}.", {
        count: changes.length, all: judged, threshold: threshold.toPrecision(4),
      })),
      ...(worse ? [make("p", { class: "warning", role: "alert" }, say("{count} parts that people called really bad would pass.", { count: worse }))] : []),
      changes.length ? table(changes) : "",
      make("p", {}, button),
    );
    place.hidden = false;
    place.scrollIntoView({ block: "nearest" });
  }
}

function table(changes: Change[]): HTMLElement {
  const rows = changes.map((each) => make("tr", {},
    make("td", {}, make("a", { href: `/results/${each.id}` }, each.serial ?? each.name)),
    make("td", {}, verdict(each.verdict)), make("td", {}, verdict(each.new_verdict))));
  const head = make("tr", {}, ...[say("Part"), say("Verdict"), say("New verdict")].map((text) => make("th", { scope: "col" }, text)));
  return make("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": say("What would change") },
    make("table", {}, make("thead", {}, head), make("tbody", {}, ...rows)));
}

customElements.define("teach-these", TeachThese);
