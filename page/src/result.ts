// One result: how much of the heat is seen, the rings that join two places, a viewer for large pictures, the answers.
import { call, isForThePage, make, say, tell } from "./station";

const SVG = "http://www.w3.org/2000/svg";

/** Draw a ring on a picture, in its own pixels. */
function ring(layers: HTMLElement, x: number, y: number): void {
  const image = layers.querySelector("img")!;
  const draw = () => {
    const drawing = document.createElementNS(SVG, "svg");
    drawing.setAttribute("viewBox", `0 0 ${image.naturalWidth} ${image.naturalHeight}`);
    drawing.setAttribute("aria-hidden", "true");
    for (const kind of ["under", "upper"]) {
      const circle = document.createElementNS(SVG, "circle");
      const radius = Math.max(image.naturalWidth, image.naturalHeight) / 16;
      for (const [name, value] of Object.entries({ cx: x, cy: y, r: radius })) circle.setAttribute(name, String(value));
      circle.setAttribute("class", kind);
      drawing.append(circle);
    }
    layers.append(drawing);
  };
  if (image.complete && image.naturalWidth) draw();
  else image.addEventListener("load", draw, { once: true });
}

class HeatView extends HTMLElement {
  connectedCallback(): void {
    const over = this.querySelector<HTMLElement>(".over");
    const slider = this.querySelector<HTMLInputElement>("input[type=range]");
    slider?.addEventListener("input", () => over && (over.style.opacity = String(Number(slider.value) / 100)));
    this.querySelector(".zoom")?.addEventListener("click", () => void this.#zoom(Number(slider?.value ?? 100) / 100));
    const at = this.getAttribute("at")?.split(",").map(Number);
    if (at) ring(this.querySelector<HTMLElement>(".layers")!, at[0]!, at[1]!);
  }

  async #zoom(opacity: number): Promise<void> {
    const { default: OpenSeadragon } = await import("openseadragon");
    const place = make("div", { class: "viewer" });
    const close = make("button", { type: "button", class: "main" }, say("Close"));
    const dialog = make("dialog", { class: "large", "aria-label": say("Zoom") }, place, close) as HTMLDialogElement;
    this.append(dialog);
    dialog.showModal();
    const viewer = OpenSeadragon({
      element: place,
      showNavigationControl: false,
      maxZoomPixelRatio: 16,
      imageSmoothingEnabled: false,
      animationTime: 0.3,
      tileSources: [
        { tileSource: { type: "image", url: this.getAttribute("image") } },
        { tileSource: { type: "image", url: this.getAttribute("overlay") }, opacity },
      ],
    } as any);
    close.addEventListener("click", () => dialog.close());
    dialog.addEventListener("close", () => {
      viewer.destroy();
      dialog.remove();
    });
  }
}

class NearView extends HTMLElement {
  connectedCallback(): void {
    const image = this.querySelector("img")!;
    image.addEventListener("error", () => (this.hidden = true), { once: true });
    ring(this.querySelector<HTMLElement>(".layers")!, Number(this.getAttribute("x")), Number(this.getAttribute("y")));
  }
}

/** The three answers, by button or by key. */
class LabelKeys extends HTMLElement {
  #keys = (event: KeyboardEvent) => {
    const label = { g: "good", b: "bad", u: "unsure" }[event.key.toLowerCase()];
    if (label && isForThePage(event) && !event.repeat) void this.#answer(label);
  };

  connectedCallback(): void {
    addEventListener("keydown", this.#keys);
    this.querySelectorAll("button").forEach((each) => each.addEventListener("click", () => void this.#answer(each.value)));
  }

  disconnectedCallback(): void {
    removeEventListener("keydown", this.#keys);
  }

  async #answer(label: string): Promise<void> {
    const status = this.querySelector<HTMLElement>("[role=status]");
    const pressed = this.querySelector(`button[value=${label}]`)?.getAttribute("aria-pressed") === "true";
    try {
      if (pressed) await call("DELETE", this.getAttribute("action")!);
      else await call("PUT", this.getAttribute("action")!, { label });
    } catch (error) {
      tell(status, (error as Error).message);
      return;
    }
    this.querySelectorAll("button").forEach((each) =>
      each.setAttribute("aria-pressed", String(!pressed && each.value === label)));
    tell(status, pressed ? say("Taken back.") : say("Kept."));
  }
}

customElements.define("heat-view", HeatView);
customElements.define("near-view", NearView);
customElements.define("label-keys", LabelKeys);
