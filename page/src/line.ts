// The line: the tiles are asked for again when a part was judged, and tell when no part comes, or no word.
import { listen, listenForSilence, say, tell } from "./station";

const PAUSE = 400;
const SILENT = 4000;

class LiveLine extends HTMLElement {
  #ends: (() => void)[] = [];
  #waiting = 0;
  #silent = 0;

  connectedCallback(): void {
    this.#ends = ["inspection", "version", "recipe"].map((kind) => listen(kind, () => this.#look()));
    this.#ends.push(listenForSilence((silent) => this.#hear(silent)));
  }

  disconnectedCallback(): void {
    this.#ends.forEach((end) => end());
  }

  /** Say that what is shown is old, if the station does not come back at once; whose session has ended is sent to log in. */
  #hear(silent: boolean): void {
    if (silent) {
      this.#silent ||= window.setTimeout(() => tell(this.querySelector("[role=alert]"), say("The station does not answer: what is shown here is old.")), SILENT);
      this.#look();
      return;
    }
    clearTimeout(this.#silent);
    this.#silent = 0;
    tell(this.querySelector("[role=alert]"), "");
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
    const at = Date.parse(this.getAttribute("at") ?? "");
    const ahead = Date.parse(this.getAttribute("now") ?? "") - performance.now(); // the station's clock, not this screen's
    const show = () => {
      const seconds = Math.max(0, Math.round((ahead + performance.now() - at) / 1000));
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
