// Good pictures: sent a few at a time, again where a call breaks off; then the doctor says what it sees.
import { pictures } from "./files";
import { call, make, said, say, tell } from "./station";

const FEW = 10;
const BYTES = 16_000_000;
const TRIES = 4;

interface Taken { name: string; state: "added" | "known" | "refused"; error: string | null }

class PictureDrop extends HTMLElement {
  #waiting: File[][] = [];
  #all = 0;
  #sending = false;

  connectedCallback(): void {
    pictures(this, (files) => {
      this.#waiting.push(...bundles(files)); // what is dropped while others are sent is sent after them
      this.#all += files.length;
      if (!this.#sending) void this.#send();
    });
    addEventListener("beforeunload", (event) => this.#sending && event.preventDefault());
  }

  async #send(): Promise<void> {
    const bar = this.querySelector("progress")!;
    const refused: Taken[] = [];
    let sent = 0;
    this.#sending = true;
    bar.hidden = false;
    this.classList.add("busy");
    for (let some = this.#waiting.shift(); some; some = this.#waiting.shift()) {
      refused.push(...(await this.#bundle(some)).filter((each) => each.state === "refused"));
      sent += some.length;
      bar.value = sent / this.#all;
      tell(this.querySelector("[role=status]"), say("{count} of {all} sent", { count: sent, all: this.#all }));
    }
    this.classList.remove("busy");
    this.#sending = false;
    this.#all = 0;
    if (!refused.length) location.reload();
    else await this.#say(refused);
  }

  /** Send some pictures; what cannot be sent at all is refused by name, too. */
  async #bundle(files: File[]): Promise<Taken[]> {
    const form = new FormData();
    files.forEach((file) => form.append("images", file, file.name));
    for (let left = TRIES; ; left--) {
      try {
        return await call<Taken[]>("POST", `/api/v1/recipes/${this.getAttribute("recipe")}/images`, form);
      } catch (error) {
        if (left <= 1) return files.map((file) => ({ name: file.name, state: "refused", error: (error as Error).message }));
        await new Promise((resolve) => setTimeout(resolve, 1000));
      }
    }
  }

  async #say(refused: Taken[]): Promise<void> {
    const lines = await Promise.all(refused.map(async (each) => make("li", {}, await said(each.error ?? each.name))));
    const on = make("button", { type: "button" }, say("Go on without them"));
    on.addEventListener("click", () => location.reload());
    const head = make("li", {}, make("b", {}, say("{count} pictures were not taken:", { count: refused.length })));
    this.querySelector(".refused")!.replaceChildren(head, ...lines, make("li", {}, on));
  }
}

function* bundles(files: File[]): Generator<File[]> {
  let some: File[] = [];
  let bytes = 0;
  for (const file of files) {
    if (some.length && (some.length === FEW || bytes + file.size > BYTES)) {
      yield some;
      some = [];
      bytes = 0;
    }
    some.push(file);
    bytes += file.size;
  }
  if (some.length) yield some;
}

interface Finding { sentence: string; mend: string; pictures: { sha256: string; name: string }[][] }

class DoctorSays extends HTMLElement {
  async connectedCallback(): Promise<void> {
    let found: Finding[];
    try {
      found = await call<Finding[]>("GET", `/api/v1/recipes/${this.getAttribute("recipe")}/images:examine`);
    } catch (error) {
      this.replaceChildren(make("p", { class: "warning", role: "alert" }, (error as Error).message));
      return;
    }
    if (!found.length) {
      this.replaceChildren(make("p", { class: "fine", role: "status" }, say("The doctor finds nothing wrong with them.")));
      return;
    }
    const lines = await Promise.all(found.map(async (each) => make("li", {}, await said(each.sentence))));
    this.replaceChildren(make("p", {}, make("b", {}, say("The doctor says:"))), make("ul", { class: "findings" }, ...lines));
    for (const sha of found.flatMap((each) => each.pictures.flat().map((picture) => picture.sha256))) {
      document.querySelector(`[data-sha="${CSS.escape(sha)}"]`)?.classList.add("found");
    }
  }
}

customElements.define("picture-drop", PictureDrop);
customElements.define("doctor-says", DoctorSays);
