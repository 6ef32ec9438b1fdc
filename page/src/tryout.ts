// A version is tried: pictures are judged one after the other and shown with what was found.
import { pictures } from "./files";
import { call, gone, make, said, say, seen, tell, verdict, type Part } from "./station";

class TryOut extends HTMLElement {
  #waiting: File[] = [];
  #all = 0;
  #judging = false;

  connectedCallback(): void {
    pictures(this, (files) => {
      this.#waiting.push(...files); // what is dropped while others are judged is judged after them
      this.#all += files.length;
      if (!this.#judging) void this.#judge().finally(() => (this.#judging = false));
    });
  }

  async #judge(): Promise<void> {
    this.#judging = true;
    let done = 0;
    for (let file = this.#waiting.shift(); file; file = this.#waiting.shift()) {
      const form = new FormData();
      form.append("images", file, file.name);
      const recipe = `/api/v1/recipes/${this.getAttribute("recipe")}`; // a batch of one: whoever tries, waits
      const address = `${recipe}/inspections:batch?kind=try&version=${this.getAttribute("version")}`;
      try {
        await this.#show(await call<Part>("POST", address, form));
      } catch (error) {
        this.#put(make("p", { class: "warning", role: "alert" }, (error as Error).message), make("span", {}, file.name));
      }
      done += 1;
      tell(this.querySelector("[role=status]"), say("{count} of {all} judged", { count: done, all: this.#all }));
    }
    this.#all = 0;
  }

  async #show(part: Part): Promise<void> {
    const link = make("a", { href: `/results/${part.id}` }, verdict(part.verdict));
    const why = part.error ? await said(part.error) : gone(part);
    const inside = why
      ? make("p", {}, why)
      : make("img", { loading: "lazy", src: part.verdict === "OK" ? seen(part) : part.links.overlay, alt: "" });
    this.#put(inside, link, make("span", {}, part.name));
  }

  #put(...inside: HTMLElement[]): void {
    this.querySelector(".tried")!.prepend(make("li", {}, ...inside));
  }
}

customElements.define("try-out", TryOut);
