// Times: UTC in the page, the reader's own where there are scripts.

class LocalTime extends HTMLElement {
  connectedCallback(): void {
    const time = this.querySelector("time");
    if (!time) return;
    const at = new Date(time.dateTime);
    const sameDay = at.toDateString() === new Date().toDateString();
    const clock = at.toLocaleTimeString(document.documentElement.lang);
    time.title = time.dateTime;
    time.textContent = sameDay ? clock : `${at.toLocaleDateString(document.documentElement.lang)} ${clock}`;
  }
}

/** A field for date and time in the reader's own time; what is sent is UTC. */
class LocalMoment extends HTMLElement {
  connectedCallback(): void {
    const sent = this.querySelector("input");
    if (!sent || this.dataset.ready) return;
    this.dataset.ready = "yes";
    const shown = document.createElement("input");
    shown.type = "datetime-local";
    const at = new Date(sent.value);
    if (sent.value && !Number.isNaN(at.valueOf())) {
      shown.value = new Date(at.valueOf() - at.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
    }
    sent.type = "hidden";
    shown.addEventListener("change", () => (sent.value = shown.value ? new Date(shown.value).toISOString() : ""));
    this.append(shown);
  }
}

customElements.define("local-time", LocalTime);
customElements.define("local-moment", LocalMoment);
