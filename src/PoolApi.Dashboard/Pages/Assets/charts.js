// Small charts of our own: a line or a stack on a canvas, with a cursor that all charts of a group share, units and a legend.
import { el, say, set, colour, time, dark } from "./common.js";

const height = 96;
const names = ["k0", "k1", "k2", "k3", "k4", "k5", "k6", "k7"];
let palette = null;
function paint() {
  palette ??= { series: names.map(colour), line: colour("line"), muted: colour("muted"), text: colour("text"), surface: colour("surface"), bad: colour("bad") };
  return palette;
}
dark.addEventListener("change", () => { palette = null; });

/** Charts that share their times and their cursor. */
export class ChartGroup {
  charts = [];
  cursor = null; // an index into the times
  times = [];
  span = 300_000; // ms from edge to edge; the last time is at the right one
  #pending = false;

  add(chart) { this.charts.push(chart); chart.group = this; return chart; }

  point(index) {
    if (this.cursor === index) return;
    this.cursor = index;
    this.draw();
  }

  /** Draws at most once in an animation frame. Hidden charts are skipped. */
  draw() {
    if (this.#pending) return;
    this.#pending = true;
    requestAnimationFrame(() => {
      this.#pending = false;
      if (this.cursor !== null && this.cursor >= this.times.length) this.cursor = this.times.length > 0 ? this.times.length - 1 : null;
      for (const chart of this.charts) chart.draw();
    });
  }
}

/** { title, unit, format, stacked, top, read(): [{ name, values }] } */
export class Chart {
  group = null;
  #spec; #canvas; #legend; #plot; #now; #items = [];

  constructor(spec) {
    this.#spec = spec;
    this.#canvas = el("canvas", { "aria-hidden": "true" });
    this.#plot = el("div", { class: "plot", tabindex: "0", role: "slider", "aria-label": `${spec.title}, ${spec.unit}`, "aria-valuemin": "0", "aria-valuenow": "0", "aria-valuemax": "0" }, this.#canvas);
    this.#legend = el("ul");
    this.#now = el("span");
    this.element = el("figure", { class: "chart" }, el("figcaption", {}, el("b", { text: spec.title }), this.#now), this.#plot, this.#legend);
    this.#plot.addEventListener("pointermove", event => this.group.point(this.#indexAt(event.offsetX)));
    this.#plot.addEventListener("pointerleave", () => this.group.point(null));
    this.#plot.addEventListener("blur", () => this.group.point(null));
    this.#plot.addEventListener("keydown", event => {
      const last = this.group.times.length - 1;
      const at = this.group.cursor ?? last;
      const step = { ArrowLeft: -1, ArrowRight: 1, PageUp: -30, PageDown: 30, Home: -Infinity, End: Infinity }[event.key];
      if (step === undefined || last < 0) return;
      event.preventDefault();
      this.group.point(Math.max(0, Math.min(last, at + step)));
    });
  }

  #indexAt(x) {
    const { times, span } = this.group;
    if (times.length === 0) return null;
    const at = times.at(-1) - span * (1 - x / Math.max(1, this.#plot.clientWidth));
    let low = 0, high = times.length - 1;
    while (low < high) { const middle = (low + high) >> 1; if (times[middle] < at) low = middle + 1; else high = middle; }
    return low > 0 && at - times[low - 1] < times[low] - at ? low - 1 : low;
  }

  draw() {
    const width = this.#plot.clientWidth;
    if (width === 0) return; // folded away
    const { format, stacked, unit } = this.#spec;
    const series = this.#spec.read();
    const n = this.group.times.length;
    const scale = Math.min(2, devicePixelRatio || 1);
    const canvas = this.#canvas;
    const across = Math.round(width * scale), down = Math.round(height * scale);
    if (canvas.width !== across || canvas.height !== down) { canvas.width = across; canvas.height = down; }
    const c = canvas.getContext("2d");
    const p = paint();
    c.setTransform(scale, 0, 0, scale, 0, 0);
    c.clearRect(0, 0, width, height);

    let max = 0;
    const sums = stacked ? new Float64Array(n) : null;
    for (const s of series) {
      for (let i = 0; i < n; i++) {
        const v = s.values[i];
        if (v === null || v === undefined) continue;
        if (sums) { sums[i] += v; if (sums[i] > max) max = sums[i]; } else if (v > max) max = v;
      }
    }
    const top = this.#spec.top ?? nice(max);
    const y = v => height - 3 - v / top * (height - 18);
    const { times, span } = this.group;
    const x = i => width * (1 - (times[n - 1] - times[i]) / span);

    c.strokeStyle = p.line; c.lineWidth = 1;
    for (const part of [0, .5, 1]) { c.beginPath(); c.moveTo(0, Math.round(y(top * part)) + .5); c.lineTo(width, Math.round(y(top * part)) + .5); c.stroke(); }
    c.fillStyle = p.muted; c.font = "10px system-ui, sans-serif"; c.textBaseline = "bottom";
    c.fillText(format(top), 2, y(top) - 1);

    const base = stacked ? new Float64Array(n) : null;
    for (let k = 0; k < series.length; k++) {
      const values = series[k].values;
      const ink = series[k].bad ? p.bad : p.series[k % 8];
      c.beginPath();
      let open = false;
      for (let i = 0; i < n; i++) {
        const v = values[i];
        // Where a part of a stack is 0, it has no line: the line would hide the line below.
        if (v === null || v === undefined || (base && v === 0 && !(values[i - 1] > 0) && !(values[i + 1] > 0))) { open = false; continue; }
        const at = y((base ? base[i] : 0) + v);
        if (open) c.lineTo(x(i), at); else { c.moveTo(x(i), at); open = true; }
      }
      c.strokeStyle = ink; c.lineWidth = 1.5; c.lineJoin = "round"; c.stroke();
      // A value between two seconds without one has no line: it is a dot.
      c.fillStyle = ink;
      for (let i = 0; i < n; i++) {
        if (known(values[i]) && !known(values[i - 1]) && !known(values[i + 1])) { c.beginPath(); c.arc(x(i), y((base ? base[i] : 0) + values[i]), 1.8, 0, 7); c.fill(); }
      }
      if (stacked || series.length === 1) {
        c.globalAlpha = .18;
        c.fillStyle = ink;
        c.beginPath();
        for (let i = 0; i < n; i++) c.lineTo(x(i), y((base ? base[i] : 0) + (values[i] ?? 0)));
        for (let i = n - 1; i >= 0; i--) c.lineTo(x(i), y(base ? base[i] : 0));
        c.fill();
        c.globalAlpha = 1;
      }
      if (base) for (let i = 0; i < n; i++) base[i] += values[i] ?? 0;
    }

    const cursor = this.group.cursor;
    const at = cursor ?? n - 1;
    if (cursor !== null && n > 0) {
      c.strokeStyle = p.text; c.globalAlpha = .6;
      c.beginPath(); c.moveTo(Math.round(x(cursor)) + .5, 0); c.lineTo(Math.round(x(cursor)) + .5, height); c.stroke();
      c.globalAlpha = 1;
    }
    say(this.#now, cursor !== null && n > 0 ? time(this.group.times[cursor]) : unit);
    while (this.#items.length < series.length) {
      const item = el("li", {}, el("span", { class: "swatch" }), el("span"), el("b"));
      this.#items.push(item);
      this.#legend.append(item);
    }
    while (this.#items.length > series.length) this.#items.pop().remove();
    const texts = [];
    series.forEach((s, k) => {
      const [swatch, name, value] = this.#items[k].children;
      swatch.className = s.bad ? "swatch failed" : `swatch k${k % 8}`;
      say(name, s.name);
      const text = at < 0 || s.values[at] === null || s.values[at] === undefined ? "–" : format(s.values[at]);
      say(value, text);
      texts.push(`${s.name} ${text}`);
    });
    set(this.#plot, "aria-valuemax", `${Math.max(0, n - 1)}`);
    set(this.#plot, "aria-valuenow", `${Math.max(0, at)}`);
    // The text changes only when the user moves the cursor. A screen reader would read a text aloud that changes each second.
    if (cursor !== null || !this.#plot.hasAttribute("aria-valuetext"))
      set(this.#plot, "aria-valuetext", n === 0 ? "no data yet" : `${time(this.group.times[at])}: ${texts.join(", ") || "nothing"}`);
  }
}

function known(v) { return v !== null && v !== undefined; }

/** The smallest of 1, 2, 5 times a power of ten that is not less. */
function nice(max) {
  if (!(max > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(max));
  return [1, 2, 5, 10].map(m => m * power).find(m => m >= max * .999);
}
