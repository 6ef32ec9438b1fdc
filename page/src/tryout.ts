// A version is tried: pictures are judged one after the other and shown with what was found.
import { pictures } from "./files";
import { call, gone, make, said, say, tell, verdict, type Part } from "./station";

class TryOut extends HTMLElement {
  connectedCallback(): void {
    pictures(this, (files) => void this.#judge(files));
  }

  async #judge(files: File[]): Promise<void> {
    let done = 0;
    for (const file of files) {
      const form = new FormData();
      form.append("images", file, file.name);
      const recipe = `/api/v1/recipes/${this.getAttribute("recipe")}`; // a batch of one: whoever tries, waits
      const address = `${recipe}/inspections:batch?version=${this.getAttribute("version")}`;
      try {
        await this.#show(await call<Part>("POST", address, form));
      } catch (error) {
        tell(this.querySelector("[role=status]"), `${file.name}: ${(error as Error).message}`);
        return;
      }
      done += 1;
      tell(this.querySelector("[role=status]"), say("{count} of {all} judged", { count: done, all: files.length }));
    }
  }

  async #show(part: Part): Promise<void> {
    const link = make("a", { href: `/results/${part.id}` }, verdict(part.verdict));
    const why = part.error ? await said(part.error) : gone(part);
    const inside = why
      ? make("p", {}, why)
      : make("img", { loading: "lazy", src: part.verdict === "OK" ? part.links.image : part.links.overlay, alt: "" });
    this.querySelector(".tried")!.prepend(make("li", {}, inside, link, make("span", {}, part.name)));
  }
}

customElements.define("try-out", TryOut);
