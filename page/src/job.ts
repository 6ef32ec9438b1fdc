// A job on its way: heard of by events, looked at every few seconds all the same, and there again after a reload.
import { call, listen, said, say, tell, type Job } from "./station";

const EVERY = 2000;

export class JobProgress extends HTMLElement {
  #timer = 0;
  #end = () => {};

  connectedCallback(): void {
    this.querySelector(".cancel")?.addEventListener("click", () => void this.#cancel());
    if (this.getAttribute("job")) this.follow(this.getAttribute("job")!);
  }

  disconnectedCallback(): void {
    this.#stop();
  }

  /** Show a job until it has ended; then the event `ended` tells of it. */
  follow(id: string): void {
    this.#stop();
    this.setAttribute("job", id);
    this.hidden = false;
    tell(this.querySelector(".step"), say("Waiting for its turn"));
    this.querySelector("progress")?.removeAttribute("value");
    this.#end = listen("job", (job) => (!job.id || job.id === id) && void this.#look());
    this.#timer = window.setInterval(() => void this.#look(), EVERY);
    void this.#look();
  }

  #stop(): void {
    clearInterval(this.#timer);
    this.#end();
  }

  async #look(): Promise<void> {
    const job = await call<Job>("GET", `/api/v1/jobs/${this.getAttribute("job")}`).catch(() => null);
    if (!job || job.id !== this.getAttribute("job") || this.hidden) return;
    if (job.state === "queued" || job.state === "running") void this.#show(job);
    else this.#ended(job);
  }

  async #show(job: Job): Promise<void> {
    const bar = this.querySelector("progress")!;
    if (job.total) bar.value = job.done / job.total;
    else bar.removeAttribute("value");
    const step = job.step ? await said(job.step) : say("Waiting for its turn");
    if (!this.hidden) tell(this.querySelector(".step"), job.total ? `${step}: ${job.done} / ${job.total}` : step);
  }

  #ended(job: Job): void {
    this.#stop();
    this.hidden = true;
    this.dispatchEvent(new CustomEvent<Job>("ended", { detail: job, bubbles: true }));
    if (this.getAttribute("then") === "reload") location.reload();
    else if (job.state === "done" && this.getAttribute("then")) location.assign(`${this.getAttribute("then")}${job.result.number}`);
  }

  async #cancel(): Promise<void> {
    await call("POST", `/api/v1/jobs/${this.getAttribute("job")}:cancel`).catch(() => null);
    await this.#look();
  }
}

customElements.define("job-progress", JobProgress);

/** How strict, and the button that teaches. */
class RateChoice extends HTMLElement {
  connectedCallback(): void {
    this.querySelectorAll<HTMLInputElement>("input[type=radio]").forEach((each) =>
      each.addEventListener("change", () => this.#said(each.value)));
    this.querySelector(".teach")?.addEventListener("click", () => void this.#teach());
    this.addEventListener("ended", (event) => void this.#ended((event as CustomEvent<Job>).detail));
  }

  #said(rate: string): void {
    this.querySelectorAll<HTMLElement>("[data-rate]").forEach((each) => (each.hidden = each.dataset.rate !== rate));
  }

  async #teach(): Promise<void> {
    const button = this.querySelector<HTMLButtonElement>(".teach")!;
    const rate = Number(this.querySelector<HTMLInputElement>("input:checked")?.value ?? 0.01);
    button.disabled = true;
    this.#warn("");
    try {
      const address = `/api/v1/recipes/${this.getAttribute("recipe")}/versions`;
      const job = await call<Job>("POST", address, { kind: "fit", false_rejects: rate });
      this.querySelector<JobProgress>("job-progress")!.follow(job.id);
    } catch (error) {
      this.#warn((error as Error).message);
    }
  }

  async #ended(job: Job): Promise<void> {
    this.querySelector<HTMLButtonElement>(".teach")!.disabled = false;
    if (job.state === "failed") this.#warn(await said(job.error ?? ""));
  }

  #warn(text: string): void {
    tell(this.querySelector("[role=alert]"), text);
    if (text) this.querySelector<HTMLButtonElement>(".teach")!.disabled = false;
  }
}

customElements.define("rate-choice", RateChoice);
