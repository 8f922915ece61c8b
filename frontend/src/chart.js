// One chart of a page: drawn on a canvas, said in a sentence, and there as a table.
import uPlot from "uplot";
import { aligned } from "./series.js";
import { thin } from "./thin.js";

const MOST_POINTS = 1200; // of a line: more than a screen has columns
const MOST_ROWS = 25;
const HEIGHT = 240;
const COLOURS = ["--chart-1", "--chart-2"];
const DASHES = [[], [6, 4]];

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const short = (value) => {
  if (value === null || value === undefined) return "–";
  if (Number.isInteger(value)) return String(value);
  return Math.abs(value) >= 0.001 ? value.toPrecision(4) : value.toExponential(2);
};

export class Chart {
  #figure;
  #lines;
  #plot = null;

  constructor(figure, lines) {
    this.#figure = figure;
    this.#lines = lines;
    this.#figure.querySelector("details").addEventListener("toggle", () => this.#tabulate());
    window
      .matchMedia("(prefers-color-scheme: dark)")
      .addEventListener("change", () => this.#plot?.redraw());
    new ResizeObserver(() => this.#plot?.setSize(this.#size())).observe(this.#place());
  }

  draw() {
    this.#figure.hidden = false;
    const data = aligned(this.#lines.map((line) => line.thinned(MOST_POINTS)));
    if (this.#plot) this.#plot.setData(data);
    else this.#plot = new uPlot(this.#options(data), data, this.#place());
    this.#tell();
    this.#tabulate();
  }

  #place() {
    return this.#figure.querySelector(".plot");
  }

  #size() {
    return { width: Math.max(this.#place().clientWidth, 200), height: HEIGHT };
  }

  #names() {
    return this.#lines.map((_, index) => this.#figure.getAttribute(`data-series-${index + 1}`));
  }

  #options() {
    const axis = {
      stroke: () => colour("--pico-muted-color"),
      grid: { stroke: () => colour("--line"), width: 1 },
      ticks: { stroke: () => colour("--line"), width: 1 },
      font: "12px system-ui, sans-serif",
      labelFont: "12px system-ui, sans-serif",
    };
    const series = this.#names().map((label, index) => ({
      label,
      stroke: () => colour(COLOURS[index]),
      width: 2,
      dash: DASHES[index],
      spanGaps: true,
      points: { show: this.#figure.id === "chart-accuracy" || undefined, size: 6 },
      value: (_, value) => short(value),
    }));
    return {
      ...this.#size(),
      scales: { x: { time: false } },
      axes: [
        { ...axis, label: this.#figure.dataset.x, labelSize: 20 },
        { ...axis, size: 64, values: (_, ticks) => ticks.map(short) },
      ],
      series: [{ label: this.#figure.dataset.x }, ...series],
      legend: { live: true },
      cursor: { drag: { x: true, y: false } },
    };
  }

  #tell() {
    const points = this.#lines[0].points;
    if (!points.length) return;
    const values = points.map(([, y]) => y);
    const facts = {
      first: short(values[0]),
      last: short(values[values.length - 1]),
      at: `${this.#figure.dataset.x} ${points[points.length - 1][0]}`,
      least: short(values.reduce((one, other) => Math.min(one, other))),
      most: short(values.reduce((one, other) => Math.max(one, other))),
    };
    this.#figure.querySelector(".chart-summary").textContent = this.#figure.dataset.summary.replace(
      /\{(\w+)\}/g,
      (_, name) => facts[name],
    );
  }

  #tabulate() {
    if (!this.#figure.querySelector("details").open) return;
    const rows = (points) => thin(points, MOST_ROWS);
    const [xs, ...columns] = aligned(this.#lines.map((line) => rows(line.points)));
    const cells = (tag, values) => {
      const row = document.createElement("tr");
      for (const value of values) {
        const cell = document.createElement(tag);
        if (tag === "th") cell.scope = "col";
        cell.textContent = value;
        row.append(cell);
      }
      return row;
    };
    const table = this.#figure.querySelector("details table");
    table.tHead.replaceChildren(cells("th", [this.#figure.dataset.x, ...this.#names()]));
    table.tBodies[0].replaceChildren(
      ...xs.map((x, index) => cells("td", [x, ...columns.map((column) => short(column[index]))])),
    );
  }
}
