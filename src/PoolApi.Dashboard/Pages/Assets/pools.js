import { $, el, say, set, count, decimal, duration, bytes, time, announce, copyButton, confirmed, change, read, still, dark, relative } from "./common.js";
import { Live } from "./live.js";
import { Kinds, Lane, draw, facts, sentence, slides } from "./lanes.js";
import { Chart, ChartGroup } from "./charts.js";
import { showLog } from "./actions.js";

const perPage = 64;
const pools = new Map(); // by name
const view = { span: 60_000, back: 0, paused: null, clock: 0, at: 0 };
let can = { change: false, why: null, drain: false };
let numbered = 0; // the pools that were ever shown: ids are not used again

/** How long the page's clock continues without a frame, in ms. The server sends two frames a second. */
const patience = 2000;

/** By how much a time goes back, in ms, if the server's clock was set. */
const setBack = 5000;

/** The server's time now. It stops if no frames arrive, so that the page does not show times of which it knows nothing. */
function serverNow() { return view.clock === 0 ? Date.now() : view.clock + Math.min(patience, performance.now() - view.at); }

function isStale() { return view.clock !== 0 && performance.now() - view.at > patience; }

/** The moment that the page shows, before the user goes back from it. */
function shownNow() { return view.paused ?? serverNow(); }

/** The right end of the strips. */
function end() { return shownNow() + view.back * 1000; }

class Pool {
  name; workers = new Map(); lanes = new Map(); kinds = new Kinds(); rows = new Map(); page = 0; sample = null; samples = []; coarse = null; range = 300; kind = null;
  left = new Set(); // the workers that have left while the page was paused
  #parts = {}; #group = new ChartGroup(); #legend = ""; #chosen = null; #askedAt = -Infinity; #fault = null;

  constructor(name) {
    this.name = name;
    const parts = this.#parts;
    const id = `pool-${numbered++}`;
    const figure = (term, key, bar) => {
      const dd = el("dd");
      const dt = el("dt", { text: term });
      const div = el("div", {}, dt, dd);
      let fill = null;
      if (bar) { fill = el("i"); dd.append(el("span"), el("div", { class: "bar", "aria-hidden": "true" }, fill)); }
      parts[key] = { div, dd: bar ? dd.firstChild : dd, fill, bar: dd.lastChild };
      parts[key].dd.textContent = "–";
      return div;
    };
    parts.body = el("tbody");
    parts.legend = el("ul", { class: "legend", "aria-label": "Colours" });
    parts.pager = el("div", { class: "pager", hidden: true });
    parts.ruler = el("div", { class: "ruler", "aria-hidden": "true" }, el("span"), el("span"), el("span"));
    parts.state = el("span", { class: "badge" });
    parts.kind = el("select", { "aria-label": "Kind of the waiting and running times" });
    parts.kind.addEventListener("change", () => { this.kind = this.#chosen = parts.kind.value; this.#group.draw(); });
    parts.charts = el("div", { class: "charts" });
    const ranges = el("span", { class: "segments", role: "group", "aria-label": "Length of the charts" },
      ...[[300, "5 min"], [3600, "1 h"]].map(([seconds, text]) => el("button", {
        type: "button", text, "aria-pressed": `${seconds === this.range}`,
        onclick: event => {
          this.range = seconds;
          for (const other of event.currentTarget.parentElement.children) set(other, "aria-pressed", `${other === event.currentTarget}`);
          this.showCharts();
        },
      })));
    this.details = el("details", { open: true }, el("summary", { text: "Charts" }),
      el("div", { class: "body" }, el("div", { class: "row" }, ranges, el("span", { class: "grow" }), el("span", { class: "muted", text: "Kind" }), parts.kind), el("p"), parts.charts));
    this.details.addEventListener("toggle", () => this.#group.draw());
    this.element = el("section", { class: "card", "aria-labelledby": id },
      el("header", {}, el("h2", { id, text: name }), parts.state, el("span", { class: "grow" })),
      el("dl", { class: "figures" },
        figure("Busy", "busy", true), figure("Waiting", "waiting", true), figure("Oldest waits for", "oldest"), figure("Suspended", "suspended"),
        figure("Bodies waiting", "bodies"), figure("Accepted", "accepted"), figure("Finished", "finished"), figure("Refused", "refused")),
      parts.legend,
      el("table", { class: "lanes" },
        el("caption", { class: "sr", text: `Workers of the pool ${name}: what each does now, and a strip of what it did` }),
        el("colgroup", {}, ...["name", "state", "runs", "since", "trace", "doing", "strip"].map(c => el("col", { class: c }))),
        el("thead", {}, el("tr", {}, ...["Worker", "State", "Runs", "For"].map(text => el("th", { scope: "col", text })),
          el("th", { scope: "col", class: "trace", text: "Trace" }), el("th", { scope: "col", text: "Thread" }),
          el("th", { scope: "col", class: "strip-cell" }, el("span", { class: "sr", text: "Last seconds" }), parts.ruler))),
        parts.body),
      parts.pager,
      this.details);
    this.#makeCharts();
  }

  #makeCharts() {
    const of = (name, pick) => ({ name, values: this.series.map(pick) });
    const keys = pick => [...new Set(this.series.flatMap(s => Object.keys(pick(s) ?? {})))];
    const bad = new Set(["failed", "expired", "timedOut", "abandoned", "notStarted"]);
    const times = side => () => {
      const kind = this.kind;
      return ["p50", "p95", "p99"].map(p => of(p, s => s[side]?.[kind]?.[p] ?? null));
    };
    const specs = [
      { title: "Utilization", unit: "% of the workers' time", format: v => `${decimal(v)} %`, top: 100, read: () => [of("busy", s => s.utilization === null ? null : s.utilization * 100)] },
      { title: "Queue", unit: "items", format: v => count(Math.round(v)), stacked: true, read: () => [of("high", s => s.queueHigh), of("normal", s => s.queueNormal), of("low", s => s.queueLow)] },
      { title: "Oldest waits for", unit: "time", format: duration, read: () => [of("oldest", s => s.oldestMs ?? 0)] },
      { title: "Suspended", unit: "items", format: v => count(Math.round(v)), read: () => [of("suspended", s => s.suspended)] },
      { title: "Bodies waiting", unit: "bytes", format: bytes, read: () => [of("bytes", s => s.bytes)] },
      { title: "Accepted", unit: "per second", format: v => `${decimal(v)}/s`, read: () => [of("accepted", s => s.accepted)] },
      { title: "Finished by outcome", unit: "per second", format: v => `${decimal(v)}/s`, stacked: true, read: () => keys(s => s.finished).map(k => ({ ...of(words(k), s => s.finished?.[k] ?? 0), bad: bad.has(k) })) },
      { title: "Refused by reason", unit: "per second", format: v => `${decimal(v)}/s`, stacked: true, read: () => keys(s => s.refused).map(k => of(words(k), s => s.refused?.[k] ?? 0)) },
      { title: "Waiting", unit: "time in the queue", format: duration, read: times("waiting") },
      { title: "Running", unit: "time on a worker", format: duration, read: times("running") },
    ];
    this.#parts.charts.append(...specs.map(spec => this.#group.add(new Chart(spec)).element));
  }

  get series() { return this.range === 300 ? this.samples : this.coarse ?? []; }

  async showCharts() {
    const isDue = this.coarse === null || this.coarse.length === 0 || serverNow() - this.coarse.at(-1).at > 15_000;
    // Called for each sample. A server that does not answer is not asked each second, and its fault is shown once.
    if (this.range !== 300 && isDue && performance.now() - this.#askedAt > 10_000) {
      this.#askedAt = performance.now();
      try {
        const history = await read(`history?seconds=3600&pool=${encodeURIComponent(this.name)}`);
        this.coarse = history.pools[0]?.samples ?? [];
        this.#fault = null;
      } catch (fault) {
        if (this.#fault !== fault.message) announce(fault.message);
        this.#fault = fault.message;
      }
    }
    this.#drawCharts();
  }

  #drawCharts() {
    const series = this.series;
    this.#group.times = series.map(s => s.at);
    this.#group.span = this.range * 1000;
    const kinds = new Map();
    for (const s of series) for (const k of new Set([...Object.keys(s.running ?? {}), ...Object.keys(s.waiting ?? {})])) kinds.set(k, (kinds.get(k) ?? 0) + 1);
    const select = this.#parts.kind;
    const wanted = [...kinds.keys()].sort();
    if (wanted.join() !== [...select.options].map(o => o.value).join()) {
      select.replaceChildren(...wanted.map(k => el("option", { value: k, text: k })));
      // Until the user chooses a kind, and while that is in no sample, the kind in the most samples is shown.
      if (wanted.includes(this.#chosen)) this.kind = this.#chosen;
      else if (!wanted.includes(this.kind)) this.kind = [...kinds].sort((a, b) => b[1] - a[1])[0]?.[0] ?? null;
      if (this.kind !== null) select.value = this.kind;
    }
    select.disabled = wanted.length === 0;
    this.#group.draw();
  }

  take(sample) {
    this.sample = sample;
    const last = this.samples.at(-1);
    if (last && sample.at < last.at - setBack) this.samples = [];
    else if (last && sample.at <= last.at) return;
    this.samples.push(sample);
    if (this.samples.length > 301) this.samples.splice(0, this.samples.length - 301);
    if (this.range === 300) this.#drawCharts();
    else if (this.coarse === null || sample.at - (this.coarse.at(-1) ?? this.samples[0]).at > 15_000) this.showCharts();
  }

  update(worker) {
    const before = this.left.delete(worker.id) ? {} : this.workers.get(worker.id) ?? {};
    const now = { ...before, ...worker };
    this.workers.set(worker.id, now);
    const lane = this.lane(worker.id);
    lane.now = (now.state === "busy" || now.state === "stuck") && now.since !== null
      ? { start: now.since, end: Infinity, kind: now.kind ?? "work", outcome: null, queue: null, trace: now.trace, count: 1, busy: 1, flag: now.state === "stuck" ? "stuck" : now.standIn ? "stand-in" : null, runs: true }
      : null;
    if (lane.now) this.kinds.index(lane.now.kind);
  }

  lane(id) {
    let lane = this.lanes.get(id);
    if (!lane) this.lanes.set(id, lane = new Lane());
    return lane;
  }

  /** Forgets the server's data, and keeps the user's choices. The rows stay until show() knows the workers, or until a paused page continues. */
  startAnew() {
    if (view.paused !== null) for (const id of this.workers.keys()) this.remove(id);
    else { this.workers.clear(); this.lanes.clear(); }
    this.sample = null;
    this.#forgetSamples();
  }

  forgetPast() {
    for (const lane of this.lanes.values()) lane.pieces = [];
    this.#forgetSamples();
  }

  #forgetSamples() {
    this.samples = [];
    this.coarse = null;
    this.#askedAt = -Infinity;
  }

  /** Removes a worker that has left. While the page is paused, the worker stays, with what it did. */
  remove(id) {
    if (view.paused !== null) {
      this.left.add(id);
      this.lane(id).now = null;
      return;
    }
    this.workers.delete(id); this.lanes.delete(id);
    this.rows.get(id)?.row.remove(); this.rows.delete(id);
  }

  /** The words; the strips are drawn apart. */
  show() {
    const parts = this.#parts;
    const workers = [...this.workers.values()].sort((a, b) => a.id - b.id);
    const stuck = workers.filter(w => w.state === "stuck").length;
    const busy = workers.filter(w => w.state === "busy").length + stuck;
    say(parts.state, stuck > 0 ? `${stuck} stuck` : busy === 0 ? "idle" : `${busy} busy`);
    parts.state.className = `badge ${stuck > 0 ? "bad" : busy > 0 ? "accent" : ""}`;
    this.#figure("busy", `${busy} of ${workers.length}`, workers.length ? busy / workers.length : 0, stuck > 0);
    const s = this.sample;
    if (s) {
      this.#figure("waiting", `${count(s.queue)} of ${count(s.capacity)}`, s.capacity ? s.queue / s.capacity : 0, s.capacity > 0 && s.queue >= s.capacity * .9);
      this.#figure("oldest", s.oldestMs === null ? "–" : duration(s.oldestMs));
      this.#figure("suspended", count(s.suspended));
      this.#figure("bodies", bytes(s.bytes));
      this.#figure("accepted", `${decimal(s.accepted)}/s`);
      this.#figure("finished", `${decimal(sum(s.finished))}/s`);
      this.#figure("refused", `${decimal(sum(s.refused))}/s`, undefined, sum(s.refused) > 0);
    }
    const pages = Math.max(1, Math.ceil(workers.length / perPage));
    this.page = Math.min(this.page, pages - 1);
    const shown = workers.slice(this.page * perPage, (this.page + 1) * perPage);
    const ids = new Set(shown.map(w => w.id));
    for (const [id, row] of this.rows) if (!ids.has(id)) { row.row.remove(); this.rows.delete(id); }
    let place = parts.body.firstElementChild;
    for (const worker of shown) {
      let row = this.rows.get(worker.id);
      // Another run of the server may name it otherwise.
      if (row && row.row.dataset.worker !== worker.name) { if (row.row === place) place = place.nextElementSibling; row.row.remove(); row = undefined; }
      if (!row) this.rows.set(worker.id, row = new Row(this, worker));
      if (row.row !== place) parts.body.insertBefore(row.row, place); else place = place.nextElementSibling;
      row.show(worker);
    }
    this.#showPager(pages, workers.length);
    this.#showLegend(workers);
  }

  #figure(key, text, share, hot) {
    const part = this.#parts[key];
    say(part.dd, text);
    part.div.classList.toggle("hot", hot === true);
    if (part.fill) {
      // Through the object model: an attribute would be an inline style, which the policy refuses.
      part.fill.style.width = `${Math.min(100, (share ?? 0) * 100)}%`;
      part.bar.classList.toggle("hot", hot === true);
    }
  }

  #showPager(pages, all) {
    const pager = this.#parts.pager;
    pager.hidden = pages < 2;
    if (pages < 2) return;
    const key = `${this.page}/${pages}/${all}`;
    if (pager.dataset.key === key) return;
    pager.dataset.key = key;
    const turn = (text, by) => el("button", { type: "button", text, disabled: this.page + by < 0 || this.page + by >= pages, onclick: () => { this.page += by; this.show(); drawAll(); } });
    pager.replaceChildren(turn("Previous", -1), el("span", { class: "muted", text: `Workers ${this.page * perPage + 1} to ${Math.min(all, (this.page + 1) * perPage)} of ${all}` }), turn("Next", 1));
  }

  #showLegend(workers) {
    const kinds = this.kinds.all.slice(0, 12);
    const standIn = workers.some(w => w.standIn);
    const key = `${kinds.join("\n")}|${standIn}`;
    if (key === this.#legend) return;
    this.#legend = key;
    const item = (swatch, text) => el("li", {}, el("span", { class: `swatch ${swatch}` }), text);
    this.#parts.legend.replaceChildren(
      ...kinds.map(kind => item(`k${this.kinds.index(kind)}`, kind)), item("idle", "idle"), item("stuck", "stuck"), item("failed", "failed or timed out"),
      ...(standIn ? [item("stand-in", "stand-in for a stuck worker")] : []));
  }

  /** Brings a worker's row into view, and a piece of its strip. */
  reveal(id, piece) {
    const workers = [...this.workers.values()].sort((a, b) => a.id - b.id);
    this.page = Math.floor(workers.findIndex(w => w.id === id) / perPage);
    this.show();
    if (piece && piece.start < end() - view.span) document.querySelector("[data-span='300']").click();
    this.rows.get(id).reveal(piece);
  }

  draw(to) {
    const from = to - view.span;
    const [a, b, c] = this.#parts.ruler.children;
    say(a, `${{ 10: "10 s", 60: "60 s", 300: "5 min" }[view.span / 1000]} ago`); say(b, ""); say(c, view.paused === null && view.back === 0 && !isStale() ? "now" : time(to));
    for (const row of this.rows.values()) row.draw(from, to);
  }

  /** Removes the workers that have left while the page was paused. */
  goOn() {
    for (const id of this.left) this.remove(id);
    this.left.clear();
  }

  forget() { for (const lane of this.lanes.values()) lane.forget(shownNow()); }
}

/** The row of a worker. */
class Row {
  #pool; #id; #cells; #canvas; #strip; #cursor = null; #visible = true; #width = 0;

  constructor(pool, worker) {
    this.#pool = pool;
    this.#id = worker.id;
    const cells = this.#cells = {
      name: el("th", { scope: "row" }), state: el("td"), runs: el("td", { class: "runs" }), since: el("td", { class: "number" }),
      trace: el("td", { class: "trace mono" }), activity: el("td"),
    };
    cells.badge = el("span", { class: "badge" });
    cells.state.append(cells.badge);
    cells.open = el("button", { type: "button", class: "small plain", text: worker.name, "aria-label": `${worker.name}: list what it did`, onclick: () => list(pool, this.#id) });
    cells.name.append(cells.open);
    this.#canvas = el("canvas", { "aria-hidden": "true" });
    this.#strip = el("div", {
      class: "strip", tabindex: "0", role: "slider", "aria-label": `What ${worker.name} did`, "aria-valuemin": "0", "aria-valuemax": "0", "aria-valuenow": "0",
      "aria-valuetext": "Arrow keys go from piece to piece",
    }, this.#canvas);
    this.row = el("tr", { "data-worker": worker.name }, cells.name, cells.state, cells.runs, cells.since, cells.trace, cells.activity, el("td", { class: "strip-cell" }, this.#strip));
    this.#strip.addEventListener("pointermove", event => this.#hover(event));
    this.#strip.addEventListener("pointerleave", () => tip(null));
    this.#strip.addEventListener("keydown", event => this.#key(event));
    this.#strip.addEventListener("blur", () => { this.#cursor = null; tip(null); drawAll(); });
    seen.observe(this.row);
    sizes.observe(this.#strip);
    this.row.onseen = visible => { this.#visible = visible; };
    this.#strip.onsize = width => { this.#width = width; };
  }

  show(worker) {
    const cells = this.#cells;
    set(this.row, "data-state", worker.state);
    say(cells.open, worker.name);
    say(cells.badge, worker.standIn ? `${worker.state}, stand-in` : worker.state);
    set(cells.badge, "data-state", worker.state);
    const runs = worker.state === "busy" || worker.state === "stuck";
    // A route that ends in its kind would show the kind twice.
    const what = runs ? worker.route && !worker.route.endsWith(worker.kind) ? `${worker.kind} · ${worker.route}` : worker.kind ?? "–" : "";
    say(cells.runs, what);
    set(cells.runs, "title", runs ? [worker.kind, worker.route].filter(Boolean).join(" · ") : null);
    say(cells.since, runs && worker.since !== null ? duration(Math.max(0, serverNow() - worker.since)) : "");
    if (cells.trace.dataset.of !== (worker.trace ?? "") + (worker.job ?? "")) {
      cells.trace.dataset.of = (worker.trace ?? "") + (worker.job ?? "");
      cells.trace.replaceChildren(...(worker.job ? [el("a", { href: `job?id=${worker.job}`, text: `job ${worker.job.slice(0, 8)}` })]
        : worker.trace ? [el("span", { title: worker.trace, text: `${worker.trace.slice(0, 8)}… ` }), copyButton(worker.trace, `trace id of ${worker.name}`)] : []));
    }
    const activity = runs ? worker.activity : null;
    if (cells.activity.dataset.is !== (activity ?? "")) {
      cells.activity.dataset.is = activity ?? "";
      cells.activity.replaceChildren(...(activity ? [el("span", { class: "activity", "data-is": activity, text: activity === "waits" ? "waits for CPU" : activity, title: activities[activity] ?? null })] : []));
    }
  }

  reveal(piece) {
    this.row.scrollIntoView({ block: "center", behavior: still.matches ? "auto" : "smooth" });
    this.row.classList.add("fresh");
    this.#cursor = piece ?? null;
    this.#strip.focus({ preventScroll: true });
    if (piece) set(this.#strip, "aria-valuetext", sentence(piece, serverNow()));
    drawAll();
  }

  draw(from, to) {
    if (!this.#visible || this.#width === 0) return;
    const lane = this.#pool.lane(this.#id);
    const slide = view.paused === null && !isStale() && slides() ? 600 : 0;
    // An empty strip looks the same at every moment: it is drawn once, and does not move. What would slide in until the next drawing counts.
    const isEmpty = this.#cursor === null && lane.isEmpty(from, to + slide);
    if (isEmpty && this.#isEmpty) return;
    this.#isEmpty = isEmpty;
    const moving = !isEmpty && slide > 0;
    draw(this.#canvas, lane, this.#pool.kinds, from, to, this.#width, moving ? slide : 0, this.#cursor);
    if (this.#sliding) { this.#sliding.cancel(); this.#sliding = null; }
    // The browser moves the picture until the next one: nothing is drawn in between.
    if (moving) this.#sliding = this.#canvas.animate([{ transform: "translateX(0)" }, { transform: `translateX(${-this.#width * 600 / view.span}px)` }], { duration: 600, fill: "forwards" });
  }
  #sliding = null; #isEmpty = false;

  #momentAt(x) { return end() - view.span + x / Math.max(1, this.#width) * view.span; }

  #hover(event) {
    const box = this.#strip.getBoundingClientRect();
    const lane = this.#pool.lane(this.#id);
    const piece = lane.at(this.#momentAt(event.clientX - box.left), view.span / Math.max(1, this.#width) * 4);
    if (piece) tip(piece, event.clientX, box.bottom, this.#pool.workers.get(this.#id).name); else tip(null);
  }

  #key(event) {
    const pieces = this.#pool.lane(this.#id).within(end() - view.span, end());
    if (pieces.length === 0) return;
    const at = this.#cursor === null ? pieces.length : pieces.findIndex(p => p.start >= this.#cursor.start);
    const to = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: pieces.length - 1, PageUp: at - 10, PageDown: at + 10 }[event.key];
    if (event.key === "Escape") { tip(null); return; }
    if (to === undefined) return;
    event.preventDefault();
    const index = Math.max(0, Math.min(pieces.length - 1, to));
    const piece = this.#cursor = pieces[index];
    set(this.#strip, "aria-valuemax", `${pieces.length - 1}`);
    set(this.#strip, "aria-valuenow", `${index}`);
    set(this.#strip, "aria-valuetext", sentence(piece, serverNow()));
    const box = this.#strip.getBoundingClientRect();
    const x = box.left + (Math.max(piece.start, end() - view.span) - (end() - view.span)) / view.span * box.width;
    tip(piece, x, box.bottom, this.#pool.workers.get(this.#id).name);
    drawAll();
  }
}

const activities = {
  computes: "The thread runs on a processor.",
  waits: "The thread could run, and waits for a processor.",
  blocked: "The thread sleeps: for a lock, a disk, the network, or a time.",
};
const seen = new IntersectionObserver(entries => { for (const entry of entries) entry.target.onseen?.(entry.isIntersecting); drawAll(); }, { rootMargin: "200px" });
const sizes = new ResizeObserver(entries => { for (const entry of entries) entry.target.onsize?.(entry.contentRect.width); drawAll(); });

function sum(of) { return Object.values(of ?? {}).reduce((a, b) => a + b, 0); }
function words(name) { return name.replace(/([a-z])([A-Z])/g, "$1 $2").replaceAll("_", " ").replaceAll("-", " ").toLowerCase(); }

let bubble = null;
function tip(piece, x, y, worker) {
  if (!piece) { bubble?.remove(); bubble = null; return; }
  bubble ??= document.body.appendChild(el("div", { class: "tip", "aria-hidden": "true" }));
  bubble.replaceChildren(el("strong", { text: worker }), el("dl", {}, ...facts(piece, serverNow()).flatMap(([name, value]) => [el("dt", { text: name }), el("dd", { text: value })])));
  const box = bubble.getBoundingClientRect();
  bubble.style.left = `${Math.max(6, Math.min(innerWidth - box.width - 6, x - box.width / 2))}px`;
  bubble.style.top = `${y + 8 + box.height > innerHeight ? Math.max(6, y - box.height - 36) : y + 8}px`;
}

/** Shows what a worker did as a table, which has the content of the strip in words. */
function list(pool, id) {
  const worker = pool.workers.get(id);
  const now = shownNow();
  const pieces = pool.lane(id).within(now - 300_000, now).reverse().slice(0, 200);
  const body = el("tbody", {}, ...pieces.map(p => el("tr", {},
    el("th", { scope: "row", text: time(p.start) }), el("td", { text: p.count > 1 ? `${p.kind} × ${count(p.count)}` : p.kind }),
    el("td", { class: "number", text: p.queue === null || p.queue === undefined ? "–" : duration(p.queue) }),
    el("td", { class: "number", text: p.runs ? duration(now - p.start) : duration(p.run ?? p.end - p.start) }),
    el("td", { text: p.runs ? (p.flag ?? "runs") : p.outcome ?? "–" }),
    el("td", { class: "mono" }, ...(p.trace ? [`${p.trace.slice(0, 8)}… `, copyButton(p.trace, "trace id")] : ["–"])))));
  const dialog = el("dialog", { class: "wide", "aria-labelledby": "list-title" }, el("div", { class: "inner" },
    el("h2", { id: "list-title", text: `What ${worker.name} did` }),
    el("p", { class: "muted", text: pieces.length === 0 ? "Nothing in the last minutes." : `The last ${pieces.length} pieces of what is remembered, the newest first.` }),
    el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Pieces" }, el("table", {}, el("thead", {}, el("tr", {},
      el("th", { scope: "col", text: "Began" }), el("th", { scope: "col", text: "Kind" }), el("th", { scope: "col", class: "number", text: "Queued for" }),
      el("th", { scope: "col", class: "number", text: "Ran for" }), el("th", { scope: "col", text: "Outcome" }), el("th", { scope: "col", text: "Trace" }))), body)),
    el("form", { method: "dialog", class: "row" }, el("button", { text: "Close" }))));
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}

function poolOf(name) {
  let pool = pools.get(name);
  if (!pool) {
    pools.set(name, pool = new Pool(name));
    $("#pools").append(pool.element);
  }
  return pool;
}

/** A frame: what has changed since the one before. A snapshot is a frame that changes everything. */
function take(frame) {
  const now = performance.now();
  // The server's clock was set back: the new frames are older than the known ones.
  if (view.clock !== 0 && frame.at < serverNow() - setBack) {
    for (const pool of pools.values()) { pool.forgetPast(); if (pool.range !== 300) pool.showCharts(); }
  }
  // A frame corrects the clock by a tenth of the difference, so that a delayed frame moves it little. A large difference resets it.
  if (view.clock === 0 || isStale() || Math.abs(frame.at - serverNow()) > 1500) { view.clock = frame.at; view.at = now; }
  else { view.clock = serverNow() + (frame.at - serverNow()) * .1; view.at = now; }
  for (const changes of frame.pools) {
    const pool = poolOf(changes.name);
    for (const id of changes.gone ?? []) pool.remove(id);
    for (const p of changes.pieces ?? []) {
      pool.kinds.index(p.kind);
      pool.lane(p.worker).add({
        start: p.start, end: p.start + p.ms, kind: p.kind, outcome: p.outcome, queue: p.queuedMs ?? null, run: p.ms, trace: p.trace ?? null,
        count: p.count ?? 1, busy: p.busy ?? 1, flag: p.flag ?? null, runs: false,
      }, view.paused);
    }
    for (const worker of changes.workers ?? []) pool.update(worker);
    for (const sample of changes.samples ?? []) pool.take(sample);
  }
  if (frame.actions) showLog(frame.actions);
  if (frame.snapshots) showSnapshots(frame.snapshots);
}

function showAll() { for (const pool of pools.values()) pool.show(); drawAll(); goTo(); }

/** The address may name a worker, or a trace. The page brings the row of the worker, or of the trace's piece, into view once. */
let wanted = new URLSearchParams(location.hash.slice(1));
addEventListener("hashchange", () => { wanted = new URLSearchParams(location.hash.slice(1)); goTo(); });
function goTo() {
  const name = wanted.get("worker"), trace = wanted.get("trace");
  if (!name && !trace) return;
  for (const pool of pools.values()) {
    for (const worker of [...pool.workers.values()].sort((a, b) => a.id - b.id)) {
      const piece = trace ? pool.lane(worker.id).within(serverNow() - 300_000, serverNow()).findLast(p => p.trace === trace) : null;
      if (worker.name !== name && !piece) continue;
      wanted = new URLSearchParams();
      pool.reveal(worker.id, piece);
      return;
    }
  }
  if (view.clock !== 0) {
    wanted = new URLSearchParams();
    complain(trace ? "The strips of this instance have no piece of that trace: it ran elsewhere, or too long ago." : `There is no worker ${name} now.`);
  }
}

function drawAll() {
  const to = end();
  for (const pool of pools.values()) pool.draw(to);
}

const live = new Live(after => after ? `stream?after=${encodeURIComponent(after)}` : "stream", {
  snapshot(frame) {
    const present = new Set(frame.pools.map(pool => pool.name));
    for (const [name, pool] of pools) {
      if (present.has(name)) pool.startAnew();
      else { pool.element.remove(); pools.delete(name); }
    }
    can = frame.can;
    showTools();
    showFirstMinute(frame.work ?? []);
    take(frame);
    showAll();
    for (const pool of pools.values()) pool.showCharts();
  },
  frame(frame) { take(frame); if (view.paused === null) showAll(); },
});

setInterval(() => { for (const pool of pools.values()) pool.forget(); }, 5000);
// Texts such as "for 12.3 s" and the strips are also updated while no frame arrives.
setInterval(() => { if (!document.hidden && view.paused === null && performance.now() - view.at > 900) showAll(); }, 1000);
for (const query of [dark, still]) query.addEventListener("change", () => { drawAll(); for (const pool of pools.values()) pool.showCharts(); });
addEventListener("resize", () => { for (const pool of pools.values()) pool.showCharts(); });

$("#pause").addEventListener("click", event => {
  view.paused = view.paused === null ? serverNow() : null;
  if (view.paused === null) {
    view.back = 0;
    $("#back").value = "0";
    for (const pool of pools.values()) pool.goOn();
  }
  set(event.currentTarget, "aria-pressed", `${view.paused !== null}`);
  say(event.currentTarget, view.paused === null ? "Pause" : "Go on");
  showBack();
  announce(view.paused === null ? "Live" : `Paused at ${time(view.paused)}`);
  showAll();
});
$("#back").addEventListener("input", event => {
  view.back = Number(event.currentTarget.value);
  // To look back is to stand still: what is looked at must not run away.
  if (view.back !== 0 && view.paused === null) $("#pause").click();
  showBack();
  drawAll();
});
function showBack() {
  say($("#back-text"), view.back === 0 ? (view.paused === null ? "now" : time(view.paused)) : `${time(end())}`);
  set($("#back"), "aria-valuetext", view.back === 0 ? "now" : `${duration(-view.back * 1000)} back, ${time(end())}`);
}
for (const button of document.querySelectorAll("[data-span]")) {
  button.addEventListener("click", () => {
    view.span = Number(button.dataset.span) * 1000;
    for (const other of document.querySelectorAll("[data-span]")) set(other, "aria-pressed", `${other === button}`);
    drawAll();
  });
}

// What can be done here

function showTools() {
  const tools = [];
  if (can.trace) tools.push(
    el("a", { class: "button", href: "trace?seconds=30", download: true, text: "Download trace" }),
    el("button", { type: "button", text: "Open in Perfetto", onclick: () => perfetto("trace?seconds=30", "PoolApi, last 30 s") }));
  if (can.drain) tools.push(el("button", { type: "button", class: "danger", text: "Drain and stop…", onclick: drain, disabled: !can.change, title: can.why }));
  $("#tools").replaceChildren(...tools);
}

async function drain() {
  if (!await confirmed("Drain and stop the server?", "New requests are refused, accepted work is finished, and the process ends. This cannot be undone.", "Drain and stop")) return;
  try { await change("stop"); announce("The server drains."); } catch (fault) { complain(fault.message); }
}

function complain(text) {
  const notice = el("p", { class: "notice bad", role: "alert", text });
  $("#main").prepend(notice);
  setTimeout(() => notice.remove(), 8000);
}

function showFirstMinute(work) {
  const place = $("#first-minute");
  if (work.length === 0) { place.replaceChildren(); return; }
  const status = el("span", { class: "muted", role: "status" });
  place.replaceChildren(el("section", { class: "card", "aria-labelledby": "first-title" },
    el("header", {}, el("h2", { id: "first-title", text: "Send some work" }), el("span", { class: "muted", text: "and watch the strips fill." }),
      ...work.map(item => el("button", {
        type: "button", text: item.label, title: item.description, disabled: !can.change,
        onclick: async () => {
          try {
            const sent = await change(`work/${encodeURIComponent(item.name)}`);
            say(status, sent.detail ?? `Sent: ${item.label}`);
          } catch (fault) { say(status, fault.message); }
        },
      })), status, ...(can.change ? [] : [el("span", { class: "muted", text: can.why })]))));
}

function showSnapshots(snapshots) {
  const card = $("#snapshots");
  card.hidden = false;
  card.replaceChildren(
    el("header", {}, el("h2", { id: "snapshots-title", text: "Snapshots" }), el("span", { class: "muted", text: "of the seconds before something went wrong, taken by themselves" })),
    snapshots.length === 0
      ? el("p", { class: "empty", text: "None yet. A stuck worker, an expiry, an overload, a slow item or an unclean stop takes one." })
      : el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Table of snapshots" }, el("table", {},
        el("thead", {}, el("tr", {}, ...["Taken", "Trigger", "Why", "Size", "Trace"].map(text => el("th", { scope: "col", text })))),
        el("tbody", {}, ...snapshots.map(s => el("tr", {},
          el("th", { scope: "row", text: time(s.at), title: relative(s.at, serverNow()) }), el("td", {}, el("span", { class: "badge warn", text: words(s.trigger) })), el("td", { text: s.detail }),
          el("td", { class: "number", text: bytes(s.bytes) }),
          el("td", {}, el("span", { class: "row" },
            el("a", { class: "button", href: `snapshots/${encodeURIComponent(s.id)}`, download: true, text: "Download", "aria-label": `Download the snapshot of ${time(s.at)}` }),
            el("button", { type: "button", text: "Open in Perfetto", "aria-label": `Open in Perfetto: the snapshot of ${time(s.at)}`, onclick: () => perfetto(`snapshots/${encodeURIComponent(s.id)}`, `PoolApi, ${words(s.trigger)}`) })))))))));
}

/** Hands a trace to Perfetto's own page, which keeps it in the browser. Needs the network; the download does not. */
async function perfetto(url, title) {
  const origin = "https://ui.perfetto.dev";
  const other = window.open(origin);
  if (!other) { complain("The browser did not open Perfetto's page. Download the trace and open it there."); return; }
  try {
    const response = await fetch(url, { cache: "no-store" });
    if (!response.ok) throw new Error(`The server answered ${response.status}.`);
    const buffer = await response.arrayBuffer();
    let asking = 0, tries = 0;
    const pong = event => {
      if (event.origin !== origin || event.data !== "PONG") return;
      clearInterval(asking);
      removeEventListener("message", pong);
      other.postMessage({ perfetto: { buffer, title } }, origin, [buffer]);
    };
    addEventListener("message", pong);
    asking = setInterval(() => {
      if (++tries > 200 || other.closed) {
        clearInterval(asking);
        removeEventListener("message", pong);
        if (!other.closed) complain("Perfetto's page does not answer. Download the trace and open it there.");
        return;
      }
      other.postMessage("PING", origin);
    }, 100);
  } catch (fault) { other.close(); complain(fault.message); }
}
