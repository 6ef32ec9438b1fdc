// Parts an hour, as bars: all, and those among them that were not OK.
import { make, say } from "./station";

interface Hour { hour: string; verdict: string; count: number }

const HOUR = 3600;

class HoursChart extends HTMLElement {
  async connectedCallback(): Promise<void> {
    const hours: Hour[] = JSON.parse(this.querySelector("script")?.textContent ?? "[]");
    if (!hours.length) return; // a new station has judged nothing yet
    const place = make("div", { class: "chart", role: "img", "aria-label": this.getAttribute("title") ?? "" });
    const [{ default: uPlot }] = await Promise.all([import("uplot"), import("uplot/dist/uPlot.min.css")]);
    if (!this.isConnected) return;
    this.append(place);
    const colours = getComputedStyle(document.documentElement);
    const colour = (name: string) => colours.getPropertyValue(`--${name}`).trim();
    const data = stacked(hours);
    const [first, last] = [data[0]![0]!, data[0]!.at(-1)!]; // uPlot would stretch a single hour to years
    const bars = uPlot.paths.bars!({ size: [0.8, 40], align: 1 });
    const series = (label: string, name: string, verdicts: string[]) => ({
      label, fill: colour(name), stroke: colour(name), width: 0, paths: bars, points: { show: false },
      value: (_: unknown, __: number, ___: number, at: number | null) => (at === null ? "" : String(counted(hours, data[0]![at]!, verdicts))),
    });
    const hour = new Intl.DateTimeFormat(document.documentElement.lang, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
    const day = new Intl.DateTimeFormat(document.documentElement.lang, { month: "short", day: "numeric" });
    const time = (at: number) => (new Date(at * 1000).getHours() ? hour : day).format(at * 1000);
    const axis = { stroke: colour("quiet"), grid: { stroke: colour("line"), width: 1 }, ticks: { show: false } };
    const chart = new uPlot({
      title: this.getAttribute("title") ?? "", width: this.clientWidth, height: 150,
      series: [{ label: say("Time"), value: (_: unknown, at: number | null) => (at === null ? "" : `${day.format(at * 1000)} ${hour.format(at * 1000)}`) }, series("OK", "bar", ["OK"]), series("REVIEW", "review", ["REVIEW"]), series("NG", "ng", ["NG", "ERROR"])],
      axes: [{ ...axis, values: (_: unknown, all: number[]) => all.map(time) }, { ...axis, size: 44 }], cursor: { drag: { x: false, y: false } },
      scales: { y: { range: (_: unknown, __: number, most: number) => [0, Math.max(1, most * 1.1)] },
        x: { range: () => [first, Math.max(last + HOUR, first + 12 * HOUR)] } },
    }, data as any, place);
    new ResizeObserver(() => chart.setSize({ width: this.clientWidth, height: 150 })).observe(this);
  }
}

function second(hour: string): number {
  return Date.parse(`${hour}:00:00Z`) / 1000;
}

function counted(hours: Hour[], at: number, verdicts: string[]): number {
  return hours.filter((each) => second(each.hour) === at && verdicts.includes(each.verdict)).reduce((sum, each) => sum + each.count, 0);
}

/** Bars that stand before one another: all parts; those not OK; those NG or ERROR. */
function stacked(hours: Hour[]): number[][] {
  const times = [...new Set(hours.map((each) => second(each.hour)))].sort((a, b) => a - b);
  const of = (...verdicts: string[]) => times.map((at) => counted(hours, at, verdicts));
  return [times, of("OK", "REVIEW", "NG", "ERROR"), of("REVIEW", "NG", "ERROR"), of("NG", "ERROR")];
}

customElements.define("hours-chart", HoursChart);
