// A line chart over time, drawn as SVG so that style.css gives it its colours in both themes.

import { announce, el } from "./dom.js";
import { clock } from "./format.js";

const NS = "http://www.w3.org/2000/svg";
const MARGIN = { top: 10, right: 14, bottom: 26, left: 40 };
const TICK_SECONDS = [5, 10, 15, 30, 60, 120, 300];
const TICK_PX = 60;
/** Readings come every second; over a longer hole no line is drawn. */
const HOLE_SECONDS = 3;

function svg(tag, attributes = {}, ...children) {
  const element = document.createElementNS(NS, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/** The smallest of 1, 2, 5 times a power of ten that is at least n. */
function niceCeiling(n) {
  const power = 10 ** Math.floor(Math.log10(n));
  return [1, 2, 5, 10].map((step) => step * power).find((each) => each >= n * 0.999);
}

const round = (n) => Math.round(n * 10) / 10;

export class Chart {
  #series;
  #top;
  #format;
  #frame;
  #root = svg("svg", { role: "img", tabindex: "0", focusable: "true" });
  #tip = el("div", { class: "tip", hidden: true });
  #values = new Map();
  #readings = [];
  #span = 60;
  #end = 0;
  #cursor = null;

  /**
   * figure: with a caption; series: [{key, name}], at most three; top: the fixed end of the value axis, or
   * undefined for one that follows the values; format: a value as text.
   */
  constructor(figure, { series, top, format }) {
    this.#series = series;
    this.#top = top;
    this.#format = format;
    const legend = el("ul", { class: "legend" });
    series.forEach(({ key, name }, i) => {
      const value = el("span", { class: "value" }, "–");
      this.#values.set(key, value);
      legend.append(el("li", { class: `series-${i + 1}` }, el("span", { class: "key", "aria-hidden": "true" }), el("span", {}, name), value));
    });
    figure.querySelector("figcaption").append(legend);
    this.#frame = el("div", { class: "chart-frame" }, this.#root, this.#tip);
    figure.append(this.#frame);
    this.#root.addEventListener("pointermove", (event) => this.#point(event.offsetX));
    this.#root.addEventListener("pointerleave", () => this.#leave());
    this.#root.addEventListener("blur", () => this.#leave());
    this.#root.addEventListener("keydown", (event) => this.#key(event));
    new ResizeObserver(() => this.#draw()).observe(this.#frame);
  }

  /** readings: oldest first, with `time` (s) and the keys of the series; span: seconds shown up to `end`. */
  show(readings, span, end) {
    this.#readings = readings;
    this.#span = span;
    this.#end = end;
    const latest = readings.at(-1);
    for (const { key } of this.#series) this.#values.get(key).textContent = latest ? this.#format(latest[key]) : "–";
    this.#root.setAttribute("aria-label", this.#describe(latest));
    this.#draw();
  }

  #describe(latest) {
    if (!latest) return "Line chart, no reading yet";
    const now = this.#series.map(({ key, name }) => `${name} ${this.#format(latest[key])}`).join(", ");
    return `Line chart of the last ${this.#span / 60} min. Now: ${now}. Arrow keys read single values.`;
  }

  #visible() {
    return this.#readings.filter(({ time }) => time >= this.#end - this.#span - HOLE_SECONDS && time <= this.#end);
  }

  #scale() {
    const width = this.#frame.clientWidth - MARGIN.left - MARGIN.right;
    const height = this.#frame.clientHeight - MARGIN.top - MARGIN.bottom;
    let top = this.#top;
    if (top === undefined) {
      const most = Math.max(0.1, ...this.#visible().flatMap((reading) => this.#series.map(({ key }) => reading[key])));
      top = niceCeiling(most * 1.05);
    }
    return {
      width,
      height,
      top,
      x: (time) => MARGIN.left + width * (1 - (this.#end - time) / this.#span),
      y: (value) => MARGIN.top + height * (1 - Math.min(value, top) / top),
    };
  }

  #draw() {
    const { clientWidth, clientHeight } = this.#frame;
    if (!clientWidth || !clientHeight) return; // its section is not in front
    const scale = this.#scale();
    if (scale.width <= 0) return;
    const visible = this.#visible();
    this.#root.setAttribute("viewBox", `0 0 ${clientWidth} ${clientHeight}`);
    const clip = `M${MARGIN.left} 0h${scale.width + MARGIN.right}v${clientHeight}h${-scale.width - MARGIN.right}z`;
    const id = `clip-${this.#series[0].key}`;
    const lines = svg("g", { "clip-path": `url(#${id})` });
    this.#series.forEach(({ key }, i) => {
      const runs = this.#runs(visible, key, scale);
      if (i === 0) for (const run of runs) lines.append(svg("path", { class: "area", d: this.#area(run, scale) }));
      lines.append(svg("path", { class: `line series-${i + 1}`, d: runs.map((run) => `M${run.map(([x, y]) => `${x} ${y}`).join("L")}`).join("") }));
      const last = runs.at(-1)?.at(-1);
      if (last) lines.append(svg("circle", { class: `dot series-${i + 1}`, cx: last[0], cy: last[1], r: 3.5 }));
    });
    this.#root.replaceChildren(
      svg("clipPath", { id }, svg("path", { d: clip })),
      this.#valueAxis(scale),
      this.#timeAxis(scale),
      lines,
      this.#cursorMarks(visible, scale),
    );
  }

  /** The points of one series, cut where readings are missing. */
  #runs(visible, key, scale) {
    const runs = [];
    let before = null;
    for (const reading of visible) {
      if (before === null || reading.time - before > HOLE_SECONDS) runs.push([]);
      runs.at(-1).push([round(scale.x(reading.time)), round(scale.y(reading[key]))]);
      before = reading.time;
    }
    return runs;
  }

  #area(run, scale) {
    const base = round(scale.y(0));
    return `M${run[0][0]} ${base}L${run.map(([x, y]) => `${x} ${y}`).join("L")}L${run.at(-1)[0]} ${base}Z`;
  }

  #valueAxis(scale) {
    const axis = svg("g", { class: "axis" });
    const parts = scale.top === 100 || String(scale.top).startsWith("2") || String(scale.top).startsWith("0.2") ? 4 : 5;
    for (let i = 0; i <= parts; i += 1) {
      const value = (scale.top * i) / parts;
      const y = Math.round(scale.y(value)) + 0.5;
      axis.append(
        svg("path", { class: i ? "grid" : "base", d: `M${MARGIN.left} ${y}h${scale.width}` }),
        svg("text", { x: MARGIN.left - 8, y: y + 4, "text-anchor": "end" }, String(Number(value.toPrecision(3)))),
      );
    }
    return axis;
  }

  #timeAxis(scale) {
    const axis = svg("g", { class: "axis" });
    if (!this.#end) return axis;
    const step = TICK_SECONDS.find((each) => (each / this.#span) * scale.width >= TICK_PX) ?? TICK_SECONDS.at(-1);
    const y = MARGIN.top + scale.height;
    for (let time = Math.ceil((this.#end - this.#span) / step) * step; time <= this.#end; time += step) {
      const x = round(scale.x(time));
      // A label near an edge would be cut off or run into the value axis.
      const room = x > MARGIN.left + 24 && x < MARGIN.left + scale.width - 14;
      axis.append(svg("path", { class: "tick", d: `M${x} ${y}v5` }));
      if (room) axis.append(svg("text", { x, y: y + 19, "text-anchor": "middle" }, clock(time * 1000, { seconds: step < 60 })));
    }
    return axis;
  }

  #cursorMarks(visible, scale) {
    const marks = svg("g", { class: "cursor" });
    const reading = this.#cursor && visible.find(({ time }) => time === this.#cursor);
    this.#tip.hidden = !reading;
    if (!reading) return marks;
    const x = round(scale.x(reading.time));
    marks.append(svg("path", { d: `M${x} ${MARGIN.top}v${scale.height}` }));
    this.#series.forEach(({ key }, i) => marks.append(svg("circle", { class: `dot series-${i + 1}`, cx: x, cy: round(scale.y(reading[key])), r: 4 })));
    this.#tip.replaceChildren(
      el("b", {}, clock(reading.time * 1000)),
      ...this.#series.map(({ key, name }, i) => el("span", { class: `series-${i + 1}` }, el("span", { class: "key" }), `${name} `, el("span", { class: "value" }, this.#format(reading[key])))),
    );
    const left = x > scale.width / 2 ? x - this.#tip.offsetWidth - 12 : x + 12;
    this.#tip.style.setProperty("transform", `translate(${Math.round(left)}px, ${MARGIN.top + 6}px)`);
    return marks;
  }

  #point(x) {
    const scale = this.#scale();
    const nearest = this.#visible().reduce((best, { time }) => (best === null || Math.abs(scale.x(time) - x) < Math.abs(scale.x(best) - x) ? time : best), null);
    this.#cursor = nearest;
    this.#draw();
  }

  #leave() {
    this.#cursor = null;
    this.#draw();
  }

  #key(event) {
    const visible = this.#visible();
    if (event.key === "Escape") {
      this.#leave();
      return;
    }
    const step = { ArrowLeft: -1, ArrowRight: 1, Home: -Infinity, End: Infinity }[event.key];
    if (step === undefined || !visible.length) return;
    event.preventDefault();
    const at = visible.findIndex(({ time }) => time === this.#cursor);
    const from = at < 0 ? visible.length - (step < 0 ? 0 : 1) : at;
    const reading = visible[Math.max(0, Math.min(visible.length - 1, from + step))];
    this.#cursor = reading.time;
    this.#draw();
    announce(`${clock(reading.time * 1000)}: ${this.#series.map(({ key, name }) => `${name} ${this.#format(reading[key])}`).join(", ")}`);
  }
}
