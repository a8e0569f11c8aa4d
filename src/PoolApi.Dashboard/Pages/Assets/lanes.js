// The strips: what each worker did over the last seconds, drawn on a canvas a worker.
import { colour, duration, count, time, still, dark } from "./common.js";

const remembered = 300_000;
const most = 6000; // pieces a worker; the oldest go first
let palette = null;

function colours() {
  palette ??= {
    kinds: [0, 1, 2, 3, 4, 5, 6, 7].map(i => colour(`k${i}`)), bad: colour("bad"), badSoft: colour("bad-soft"), track: colour("track"),
    surface: colour("surface"), muted: colour("muted"), text: colour("text"),
  };
  return palette;
}
dark.addEventListener("change", () => { palette = null; });

/** The colours of kinds, in the order in which they were met: the same for every worker of a pool. */
export class Kinds {
  #index = new Map();
  index(kind) {
    let i = this.#index.get(kind);
    if (i === undefined) this.#index.set(kind, i = this.#index.size);
    return i % 8;
  }
  get all() { return [...this.#index.keys()]; }
}

/** A piece: { start, end, kind, outcome, queue, trace, count, busy, flag }, in ms of the server's clock. */
export class Lane {
  pieces = [];
  now = null; // the piece that runs

  /** Adds a piece. While the page is paused at a time, what it shows stays. */
  add(piece, paused = null) {
    const last = this.pieces.at(-1);
    // After a reconnect the server may send a piece again; it is kept once.
    if (last && piece.end <= last.end && piece.start <= last.start) return;
    this.pieces.push(piece);
    const more = this.pieces.length - most;
    if (more > 0) this.pieces.splice(paused === null ? 0 : Math.min(this.from(paused), this.pieces.length - more), more);
  }

  forget(at) {
    const old = at - remembered;
    if (this.pieces.length && this.pieces[0].end < old) {
      let i = 0;
      while (i < this.pieces.length && this.pieces[i].end < old) i++;
      this.pieces.splice(0, i);
    }
  }

  /** The first piece that ends after a time. */
  from(at) {
    let low = 0, high = this.pieces.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.pieces[middle].end <= at) low = middle + 1; else high = middle;
    }
    return low;
  }

  /** The pieces within a window, the running one included. */
  within(from, to) {
    const found = [];
    for (let i = this.from(from); i < this.pieces.length && this.pieces[i].start < to; i++) found.push(this.pieces[i]);
    if (this.now && this.now.start < to) found.push({ ...this.now, end: to });
    return found;
  }

  /** Whether a window shows nothing. */
  isEmpty(from, to) {
    const i = this.from(from);
    return (i === this.pieces.length || this.pieces[i].start >= to) && !(this.now && this.now.start < to);
  }

  at(moment, slack) {
    let best = null, near = slack;
    for (const piece of this.within(moment - slack, moment + slack)) {
      const off = moment < piece.start ? piece.start - moment : moment > piece.end ? moment - piece.end : 0;
      if (off <= near) { near = off; best = piece; if (off === 0 && piece.count <= 1) break; }
    }
    return best;
  }
}

/** Draws a lane. The canvas is a little wider than the strip, so that it can slide until the next drawing. */
export function draw(canvas, lane, kinds, from, to, width, slide, mark) {
  const scale = Math.min(2, devicePixelRatio || 1);
  const height = 24;
  const perMs = width / (to - from);
  const whole = width + Math.ceil(slide * perMs);
  const across = Math.max(1, Math.round(whole * scale)), down = Math.round(height * scale);
  if (canvas.width !== across || canvas.height !== down) {
    canvas.width = across;
    canvas.height = down;
    canvas.style.width = `${whole}px`;
  }
  const c = canvas.getContext("2d");
  const paint = colours();
  c.setTransform(scale, 0, 0, scale, 0, 0);
  c.clearRect(0, 0, whole, height);
  const pieces = lane.within(from, to + slide);
  let column = -1, covered = 0, colourOfColumn = "", failed = false;
  const flush = () => {
    if (column < 0 || covered === 0) return;
    c.globalAlpha = Math.min(1, .25 + covered * .75);
    c.fillStyle = colourOfColumn;
    c.fillRect(column, 3, 1, 18);
    c.globalAlpha = 1;
    if (failed) { c.fillStyle = paint.bad; c.fillRect(column, 18, 1, 3); }
    covered = 0; failed = false;
  };
  for (const piece of pieces) {
    const x0 = (Math.max(piece.start, from) - from) * perMs;
    const x1 = (Math.min(piece.end, to + slide) - from) * perMs;
    const w = x1 - x0;
    const fill = paint.kinds[kinds.index(piece.kind)];
    if (w < 1.2) {
      const at = Math.floor(x0);
      if (at !== column) { flush(); column = at; }
      covered += w * (piece.count > 1 ? piece.busy : 1);
      colourOfColumn = fill;
      failed ||= isBad(piece.outcome);
      continue;
    }
    const gap = w > 3 ? .6 : 0;
    c.fillStyle = fill;
    c.globalAlpha = piece.count > 1 ? .3 + .6 * piece.busy : 1;
    if (piece.flag === "stuck") {
      c.fillStyle = paint.badSoft; c.fillRect(x0, 2, w - gap, 20);
      hatch(c, x0, w - gap, paint.bad, 5, 2);
    } else if (piece.flag === "stand-in") {
      c.globalAlpha = .35; c.fillRect(x0, 3, w - gap, 18);
      c.globalAlpha = 1; stripes(c, x0, w - gap, fill);
    } else {
      c.beginPath(); c.roundRect(x0, 3, w - gap, 18, Math.min(3, w / 3)); c.fill();
    }
    c.globalAlpha = 1;
    if (isBad(piece.outcome)) { c.fillStyle = paint.bad; c.fillRect(x0, 18, w - gap, 3); }
  }
  flush();
  if (mark) {
    const x0 = (Math.max(mark.start, from) - from) * perMs, x1 = Math.max(x0 + 2, (Math.min(mark.end, to) - from) * perMs);
    c.strokeStyle = paint.text; c.lineWidth = 2; c.strokeRect(x0 + 1, 2, Math.max(1, x1 - x0 - 2), 20);
  }
}

const bad = new Set(["failed", "expired", "notStarted", "abandoned", "timedOut", "late"]); // as Piece.IsFailure

function isBad(outcome) { return bad.has(outcome); }

function hatch(c, x, w, fill, step, line) {
  c.save();
  c.beginPath(); c.rect(x, 2, w, 20); c.clip();
  c.strokeStyle = fill; c.lineWidth = line;
  c.beginPath();
  // The start moves in whole steps, so that the hatching does not follow every small movement of the piece's edge.
  for (let i = Math.floor(x / step) * step - 20; i < x + w + 20; i += step + 2) { c.moveTo(i, 22); c.lineTo(i + 20, 2); }
  c.stroke();
  c.restore();
}

function stripes(c, x, w, fill) {
  c.fillStyle = fill;
  for (let i = x; i < x + w; i += 4) c.fillRect(i, 3, Math.min(2, x + w - i), 18);
}

/** A piece in words, as pairs. */
export function facts(piece, now) {
  const runs = piece.end === Infinity || piece.runs;
  if (piece.count > 1) {
    return [["Items", count(piece.count)], ["Kind", piece.kind], ["From", time(piece.start)], ["Over", duration(piece.end - piece.start)],
      ["Busy", `${Math.round(piece.busy * 100)} %`], ["Outcome", piece.outcome ?? "–"]];
  }
  return [
    ["Kind", piece.kind],
    ["Queued for", piece.queue === null || piece.queue === undefined ? "–" : duration(piece.queue)],
    ["Ran for", runs ? `${duration(now - piece.start)}, and runs` : duration(piece.run ?? piece.end - piece.start)],
    ["Outcome", runs ? (piece.flag === "stuck" ? "stuck" : "runs") : piece.outcome ?? "–"],
    ["Began", time(piece.start)],
    ["Trace", piece.trace ?? "–"],
  ];
}

export function sentence(piece, now) { return facts(piece, now).filter(f => f[1] !== "–").map(f => `${f[0]}: ${f[1]}`).join(", "); }

export const slides = () => !still.matches;
