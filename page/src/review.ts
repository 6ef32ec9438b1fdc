// The review: one part at a time, by keys. Answers wait in the page until the station has taken them.
import { call, gone, isForThePage, make, say, seen, tell, verdict, type Part } from "./station";

interface Answer { part: Part; label: string | null }

class ReviewQueue extends HTMLElement {
  #parts: Part[] = [];
  #answers = new Map<string, string>();
  #at = 0;
  #done: number[] = [];
  #unsent: Answer[] = [];
  #sending = false;
  #keys = (event: KeyboardEvent) => {
    if (!isForThePage(event)) return;
    const acts: Record<string, () => void> = {
      g: () => this.#answer("good"), b: () => this.#answer("bad"), u: () => this.#answer("unsure"),
      z: () => this.#undo(), ArrowLeft: () => this.#go(-1), ArrowRight: () => this.#go(1),
    };
    const act = acts[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (act) {
      event.preventDefault();
      if (!event.repeat || event.key.startsWith("Arrow")) act(); // a key that is held answers one part, not all
    }
  };

  connectedCallback(): void {
    this.#parts = JSON.parse(this.querySelector("script")!.textContent!);
    addEventListener("keydown", this.#keys);
    addEventListener("online", () => void this.#send());
    addEventListener("beforeunload", (event) => this.#unsent.length && event.preventDefault());
    this.querySelectorAll<HTMLButtonElement>(".answers button").forEach((each) =>
      each.addEventListener("click", () => this.#answer(each.value)));
    this.querySelector(".before")!.addEventListener("click", () => this.#go(-1));
    this.querySelector(".after")!.addEventListener("click", () => this.#go(1));
    this.querySelector(".undo")!.addEventListener("click", () => this.#undo());
    this.#show();
  }

  disconnectedCallback(): void {
    removeEventListener("keydown", this.#keys);
  }

  #answer(label: string): void {
    const part = this.#parts[this.#at];
    if (!part) return;
    this.#answers.set(part.id, label);
    this.#done.push(this.#at);
    this.#queue({ part, label });
    this.#at += 1;
    this.#show();
  }

  #undo(): void {
    const last = this.#done.pop();
    if (last === undefined) return;
    this.#at = last;
    const part = this.#parts[last]!;
    this.#answers.delete(part.id);
    this.#queue({ part, label: null });
    this.#show();
  }

  #go(steps: number): void {
    this.#at = Math.min(this.#parts.length, Math.max(0, this.#at + steps));
    this.#show();
  }

  #queue(answer: Answer): void {
    this.#unsent.push(answer);
    void this.#send();
  }

  async #send(): Promise<void> {
    if (this.#sending) return;
    this.#sending = true;
    const warning = this.querySelector<HTMLElement>(".unsent");
    while (this.#unsent[0]) {
      const { part, label } = this.#unsent[0];
      try {
        await call(label ? "PUT" : "DELETE", `${part.links.self}/label`, label ? { label } : undefined);
        this.#unsent.shift();
        tell(warning, "");
      } catch (error) {
        tell(warning, `${say("{count} answers wait in this page:", { count: this.#unsent.length })} ${(error as Error).message}`);
        await new Promise((resolve) => setTimeout(resolve, 3000));
      }
    }
    this.#sending = false;
  }

  #show(): void {
    const part = this.#parts[this.#at];
    const find = <T extends Element>(name: string) => this.querySelector<T>(name)!;
    const count = this.#answers.size;
    tell(find<HTMLElement>(".place"), say("{at} of {all}, {count} answered", {
      at: Math.min(this.#at + 1, this.#parts.length), all: this.#parts.length, count,
    }));
    this.classList.toggle("through", !part);
    if (!part) {
      find(".what").replaceChildren(say("That was the last one."), " ", make("a", { href: location.href }, say("Look for more")));
      return;
    }
    find(".what").replaceChildren(verdict(part.verdict), ` ${part.serial ?? part.name} `,
      make("span", { class: "quiet" }, part.percentile === null ? "" :
        say("Stranger than {count} of 100 good parts.", { count: Number(part.percentile.toPrecision(4)) })));
    tell(find<HTMLElement>(".gone"), gone(part));
    find<HTMLElement>(".pair").hidden = !!gone(part);
    if (!gone(part)) {
      find<HTMLImageElement>(".original").src = seen(part);
      find<HTMLImageElement>(".over").src = part.links.overlay;
    }
    find<HTMLAnchorElement>(".more").href = `/results/${part.id}`;
    this.querySelectorAll<HTMLButtonElement>(".answers button").forEach((each) =>
      each.setAttribute("aria-pressed", String(this.#answers.get(part.id) === each.value)));
    const next = this.#parts[this.#at + 1];
    if (next && !gone(next)) for (const address of [seen(next), next.links.overlay]) new Image().src = address;
  }
}

customElements.define("review-queue", ReviewQueue);
