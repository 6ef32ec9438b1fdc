// Areas drawn on the first good picture, in its pixels: by mouse, by finger or by keys.
import { call, isForThePage, say, tell } from "./station";

const SVG = "http://www.w3.org/2000/svg";
const DRAG = 6;
type Point = [number, number];
type Kind = "include" | "ignore";

class AreaEditor extends HTMLElement {
  #areas: Record<Kind, string[]> = { include: [], ignore: [] };
  #order: Kind[] = [];
  #corners: Point[] = [];
  #cross: Point = [0, 0];
  #from: Point | null = null;
  #drawing = document.createElementNS(SVG, "svg");
  #wide = 1;
  #high = 1;

  connectedCallback(): void {
    this.#wide = Number(this.getAttribute("width"));
    this.#high = Number(this.getAttribute("height"));
    this.#areas = JSON.parse(this.querySelector("script")!.textContent!);
    this.#order = [...this.#areas.include.map(() => "include" as const), ...this.#areas.ignore.map(() => "ignore" as const)];
    this.#cross = [Math.round(this.#wide / 2), Math.round(this.#high / 2)];
    const attributes = { viewBox: `0 0 ${this.#wide} ${this.#high}`, tabindex: "0", role: "application", "aria-label": say("Draw areas") };
    for (const [name, value] of Object.entries(attributes)) this.#drawing.setAttribute(name, value);
    this.querySelector(".canvas")!.append(this.#drawing);
    this.#drawing.addEventListener("pointerdown", (event) => (this.#from = this.#place(event)));
    this.#drawing.addEventListener("pointerup", (event) => this.#up(this.#place(event)));
    this.#drawing.addEventListener("keydown", (event) => this.#key(event));
    this.querySelector(".close-shape")!.addEventListener("click", () => this.#close());
    this.querySelector(".undo")!.addEventListener("click", () => this.#undo());
    this.querySelector(".save")!.addEventListener("click", () => void this.#save());
    this.#draw();
  }

  get #kind(): Kind {
    return this.querySelector<HTMLInputElement>("input[name=kind]:checked")!.value as Kind;
  }

  #place(event: PointerEvent): Point {
    const box = this.#drawing.getBoundingClientRect();
    const x = ((event.clientX - box.left) / box.width) * this.#wide;
    const y = ((event.clientY - box.top) / box.height) * this.#high;
    return [Math.round(Math.min(this.#wide, Math.max(0, x))), Math.round(Math.min(this.#high, Math.max(0, y)))];
  }

  #up(to: Point): void {
    const from = this.#from;
    this.#from = null;
    if (!from) return;
    const far = (this.#wide / this.#drawing.getBoundingClientRect().width) * DRAG;
    const [across, down] = [Math.abs(to[0] - from[0]), Math.abs(to[1] - from[1])];
    if (across > far && down > far && !this.#corners.length) {
      this.#add(`${Math.min(to[0], from[0])},${Math.min(to[1], from[1])},${across}x${down}`);
    } else this.#corner(to, far);
  }

  #corner(at: Point, far: number): void {
    const first = this.#corners[0];
    if (first && this.#corners.length > 2 && Math.hypot(at[0] - first[0], at[1] - first[1]) <= far * 2) this.#close();
    else this.#corners.push(at);
    this.#draw();
  }

  #close(): void {
    if (this.#corners.length < 3) {
      this.#tell(say("An area needs three corners or more."));
      return;
    }
    this.#add(this.#corners.map((point) => point.join(",")).join(" "));
    this.#corners = [];
    this.#draw();
  }

  #add(area: string): void {
    this.#areas[this.#kind].push(area);
    this.#order.push(this.#kind);
    this.#tell(say("Not saved yet."));
    this.#draw();
  }

  #undo(): void {
    if (this.#corners.length) this.#corners.pop();
    else {
      const kind = this.#order.pop();
      if (kind) this.#areas[kind].pop();
      this.#tell(say("Not saved yet."));
    }
    this.#draw();
  }

  #key(event: KeyboardEvent): void {
    if (!isForThePage(event)) return;
    const step = (event.shiftKey ? 20 : 4) * Math.max(1, Math.round(this.#wide / 400));
    const moves: Record<string, Point> = {
      ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step],
    };
    const move = moves[event.key];
    if (move) {
      this.#cross = [
        Math.min(this.#wide, Math.max(0, this.#cross[0] + move[0])),
        Math.min(this.#high, Math.max(0, this.#cross[1] + move[1])),
      ];
    } else if (event.key === " ") this.#corner([...this.#cross], step / 2);
    else if (event.key === "Enter") this.#close();
    else if (event.key.toLowerCase() === "z") this.#undo();
    else return;
    event.preventDefault();
    this.#draw();
  }

  #draw(): void {
    const shapes: SVGElement[] = [];
    for (const kind of ["include", "ignore"] as const) for (const area of this.#areas[kind]) shapes.push(shape(area, kind));
    if (this.#corners.length) {
      shapes.push(element("polyline", { points: this.#corners.map((point) => point.join(",")).join(" "), class: "open" }));
      const size = this.#wide / 120;
      for (const [x, y] of this.#corners) shapes.push(element("circle", { cx: x, cy: y, r: size, class: "corner" }));
    }
    const [x, y] = this.#cross;
    const arm = this.#wide / 40;
    shapes.push(element("path", { d: `M${x - arm} ${y}H${x + arm}M${x} ${y - arm}V${y + arm}`, class: "cross" }));
    this.#drawing.replaceChildren(...shapes);
  }

  async #save(): Promise<void> {
    if (this.#corners.length > 2) this.#close();
    try {
      await call("PATCH", `/api/v1/recipes/${this.getAttribute("recipe")}`, { settings: this.#areas }, {
        "If-Match": this.getAttribute("etag")!,
      });
    } catch (error) {
      this.#tell((error as Error).message);
      return;
    }
    location.reload();
  }

  #tell(text: string): void {
    tell(this.querySelector("[role=status]"), text);
  }
}

function element(tag: string, attributes: Record<string, string | number>): SVGElement {
  const made = document.createElementNS(SVG, tag) as SVGElement;
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, String(value));
  return made;
}

/** An area as it is kept: a rectangle x,y,WIDTHxHEIGHT or a polygon x,y x,y x,y. */
function shape(area: string, kind: Kind): SVGElement {
  const rectangle = /^(-?[\d.]+),(-?[\d.]+),([\d.]+)x([\d.]+)$/.exec(area);
  if (!rectangle) return element("polygon", { points: area, class: kind });
  const [, x, y, width, height] = rectangle;
  return element("rect", { x: x!, y: y!, width: width!, height: height!, class: kind });
}

customElements.define("area-editor", AreaEditor);
