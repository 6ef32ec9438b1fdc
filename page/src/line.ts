// The line: the tiles are asked for again when a part was judged, and tell when no part comes.
import { listen, say } from "./station";

const PAUSE = 400;

class LiveLine extends HTMLElement {
  #ends: (() => void)[] = [];
  #waiting = 0;

  connectedCallback(): void {
    this.#ends = ["inspection", "version"].map((kind) => listen(kind, () => this.#look()));
  }

  disconnectedCallback(): void {
    this.#ends.forEach((end) => end());
  }

  #look(): void {
    this.#waiting ||= window.setTimeout(() => {
      this.#waiting = 0;
      document.body.dispatchEvent(new Event("look"));
    }, PAUSE);
  }
}

class SecondsAgo extends HTMLElement {
  #timer = 0;

  connectedCallback(): void {
    const at = new Date(this.getAttribute("at") ?? "").valueOf();
    const show = () => {
      const seconds = Math.max(0, Math.round((Date.now() - at) / 1000));
      if (seconds < 120) this.textContent = say("{count} s ago", { count: seconds });
      else if (seconds < 7200) this.textContent = say("{count} min ago", { count: Math.round(seconds / 60) });
      else this.textContent = new Date(at).toLocaleString(document.documentElement.lang);
      this.closest(".tile")?.classList.toggle("old", seconds >= 120);
    };
    show();
    this.#timer = window.setInterval(show, 1000);
  }

  disconnectedCallback(): void {
    clearInterval(this.#timer);
  }
}

customElements.define("live-line", LiveLine);
customElements.define("seconds-ago", SecondsAgo);
