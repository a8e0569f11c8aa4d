import { $, el, say, set, count, relative, moment, announce, confirmed, change, read, readUntilAnswered } from "./common.js";
import { Live } from "./live.js";
import { showLog } from "./actions.js";
import { states, canCancel, canRetry, stateBadge, progressBar, took, stale } from "./job-words.js";

const form = $("#filters");
const rows = new Map(); // id → { job, row }
// A button appears only after the server has reported what the user may change.
let order = [], next = null, following = null, counts = {}, paused = false, offset = 0, isKnown = false, canChange = false, why = null, isFirst = true, unread = null;

const asked = new URLSearchParams(location.search);
for (const state of states) form.elements.state.append(el("option", { value: state, text: state }));
for (const name of ["state", "tag", "id", "key"]) form.elements[name].value = asked.get(name) ?? "";
if (asked.get("kind")) form.elements.kind.append(el("option", { value: asked.get("kind"), text: asked.get("kind") }));
form.elements.kind.value = asked.get("kind") ?? "";
let cursor = asked.get("cursor");

readUntilAnswered("jobs/kinds", fault => trouble(unread = fault.message)).then(known => {
  for (const kind of known.kinds) if (![...form.elements.kind.options].some(o => o.value === kind)) form.elements.kind.append(el("option", { value: kind, text: kind }));
  isKnown = true;
  canChange = known.canChange;
  why = known.why;
  if (unread !== null && $("#fault").textContent === unread) trouble(null);
  if (paused || isFirst) showBulk(); else show();
}).catch(fault => trouble(fault.message));

/** The filter in the page's address. Text in the form does not count before the user submits it. */
function filter() {
  const of = {};
  for (const name of ["state", "kind", "tag", "id", "key"]) { const value = new URLSearchParams(location.search).get(name); if (value) of[name] = value; }
  return of;
}

function query(extra = {}) {
  const text = new URLSearchParams({ ...filter(), ...(cursor ? { cursor } : {}), ...extra }).toString();
  return text ? `?${text}` : "";
}

const live = new Live(() => `jobs/stream${query()}`, { jobs: take });

function take(frame) {
  offset = Date.now() - frame.now;
  trouble(frame.fault);
  if (frame.counts) { counts = frame.counts; showCounts(); }
  if (frame.actions) showLog(frame.actions);
  if (!frame.order) return;
  for (const job of frame.jobs) {
    const known = rows.get(job.id);
    rows.set(job.id, { job, row: known?.row ?? null, fresh: !isFirst });
  }
  order = frame.order;
  following = frame.next;
  // While the page is paused, what it shows stays. A list that was asked for meanwhile is shown once.
  forget(row => !(paused && row));
  const isAnother = isFirst;
  isFirst = false;
  if (!paused || isAnother) show();
}

/** Removes the rows of jobs that are no longer in the list. */
function forget(may) {
  const kept = new Set(order);
  for (const [id, { row }] of rows) if (!kept.has(id) && may(row)) { row?.remove(); rows.delete(id); }
}

function trouble(text) {
  const fault = $("#fault");
  fault.hidden = !text;
  say(fault, text ?? "");
}

function show() {
  forget(() => true);
  next = following;
  const body = $("#jobs");
  let place = body.firstElementChild;
  for (const id of order) {
    const entry = rows.get(id);
    if (!entry) continue;
    if (!entry.row) entry.row = makeRow(entry.job);
    if (entry.row.shown !== version(entry.job)) fill(entry.row, entry.job, entry.fresh);
    if (entry.row === place) place = place.nextElementSibling; else body.insertBefore(entry.row, place);
  }
  tick();
  const empty = $("#empty");
  empty.hidden = order.length > 0;
  say(empty, Object.keys(filter()).length > 0 ? "No job matches. Clear the filter to see all." : "No jobs yet. A request with Prefer: respond-async makes one.");
  $("#next").disabled = next === null;
  $("#first").disabled = !cursor;
  say($("#where"), order.length === 0 ? "" : cursor ? `${order.length} older jobs` : `the newest ${order.length}`);
  showBulk();
}

function makeRow(job) {
  const row = el("tr", { "data-job": job.id });
  row.cells_ = { id: el("th", { scope: "row" }), kind: el("td"), state: el("td"), progress: el("td"), attempt: el("td", { class: "number" }), accepted: el("td"), took: el("td"), tags: el("td"), actions: el("td", { class: "number" }) };
  row.cells_.id.append(el("a", { class: "id", href: `job?id=${job.id}`, text: job.id }));
  row.append(...Object.values(row.cells_));
  return row;
}

/** What a row shows of a job depends on this. */
function version(job) { return `${job.version} ${job.stale} ${canChange}`; }

function fill(row, job, fresh) {
  const cells = row.cells_;
  row.shown = version(job);
  say(cells.kind, job.kind);
  cells.state.replaceChildren(stateBadge(job));
  if (job.stale) cells.state.append(" ", el("span", { class: "badge bad", title: stale, text: "stale" }));
  if (job.error) cells.state.append(" ", el("span", { class: "muted", title: job.error.detail, text: job.error.name }));
  cells.progress.replaceChildren(...[progressBar(job)].filter(Boolean));
  say(cells.attempt, `${job.attempt} of ${job.maxAttempts}`);
  set(cells.accepted, "title", moment(job.createdAt));
  cells.tags.replaceChildren(...job.tags.map(tag => el("span", { class: "tag", text: tag })));
  const focused = cells.actions.contains(document.activeElement);
  cells.actions.replaceChildren(...[
    canCancel(job) && canChange ? el("button", { type: "button", class: "small danger", text: "Cancel", "aria-label": `Cancel job ${job.id}`, onclick: () => one("cancel", job) }) : null,
    canRetry(job) && canChange ? el("button", { type: "button", class: "small", text: "Retry", "aria-label": `Retry job ${job.id}`, onclick: () => one("retry", job) }) : null,
  ].filter(Boolean));
  if (focused) (cells.actions.querySelector("button") ?? cells.id.firstElementChild).focus();
  row.classList.toggle("fresh", fresh);
}

/** Updates the texts that change with time: ages, durations and the times until a job may begin. */
function tick() {
  const now = Date.now() - offset;
  for (const id of order) {
    const entry = rows.get(id);
    if (!entry?.row) continue;
    say(entry.row.cells_.accepted, relative(entry.job.createdAt, now));
    say(entry.row.cells_.took, entry.job.state === "queued" && entry.job.runAt > now + 1000 ? `begins ${relative(entry.job.runAt, now)}` : took(entry.job, now));
  }
}
setInterval(() => { if (!paused && !document.hidden) tick(); }, 1000);

function showCounts() {
  const current = filter().state ?? "";
  const all = Object.values(counts).reduce((a, b) => a + b, 0);
  const link = (state, text, n) => el("a", { href: `jobs${state ? `?state=${state}` : ""}`, "aria-current": current === state ? "true" : null },
    el("span", { class: "badge", "data-state": state === "running" ? null : state || null, "data-job": state || null, text: `${text} ${count(n)}` }));
  const nav = $("#counts");
  const key = JSON.stringify([counts, current]);
  if (nav.dataset.key === key) return;
  nav.dataset.key = key;
  nav.replaceChildren(link("", "all", all), ...states.map(state => link(state, state, counts[state] ?? 0)));
}

function showBulk() {
  const bulk = $("#bulk");
  const state = filter().state;
  const key = `${state}|${canChange}`;
  if (!isKnown || bulk.dataset.key === key) return;
  bulk.dataset.key = key;
  const button = (action, text, danger) => el("button", { type: "button", class: danger ? "danger" : null, text, onclick: () => many(action) });
  const buttons = [];
  if (!state || ["queued", "running"].includes(state)) buttons.push(button("cancel", "Cancel all that match…", true));
  if (!state || ["failed", "cancelled", "expired"].includes(state)) buttons.push(button("retry", "Retry all that match…", false));
  bulk.replaceChildren(el("span", { class: "muted", text: canChange ? "The filter's jobs:" : why ?? "This dashboard only shows." }), el("span", { class: "row" }, ...(canChange ? buttons : [])));
}

async function one(action, job) {
  const sure = action === "retry" || await confirmed("Cancel the job?", `${job.kind}, ${job.id}. ${job.state === "running" ? "Its cancellation is requested." : "It has not begun."}`, "Cancel the job");
  if (!sure) return;
  try {
    const done = await change("jobs/change", { action, job: job.id });
    notice(`Job ${job.id.slice(0, 8)}…: ${done.detail}.`, true);
  } catch (fault) { notice(fault.message, false); }
}

async function many(action) {
  const of = filter();
  let found;
  try { found = await read(`jobs/matching?${new URLSearchParams({ ...of, action })}`, AbortSignal.timeout(60_000)); } catch (fault) { notice(fault.message, false); return; }
  const verb = action === "cancel" ? "cancelled" : "retried";
  if (found.count === 0) { notice(`No job that matches can be ${verb}.`, false); return; }
  const text = Object.entries(of).map(([name, value]) => `${name} ${value}`).join(", ") || "no filter: all jobs";
  const n = `${found.more ? "the newest " : ""}${count(found.count)} job${found.count === 1 ? "" : "s"}`;
  if (!await confirmed(`${action === "cancel" ? "Cancel" : "Retry"} ${n}?`, `That is what matches now (${text}) and can be ${verb}. Jobs that come meanwhile are left alone.`, `${action === "cancel" ? "Cancel" : "Retry"} ${n}`, action === "cancel")) return;
  try {
    const done = await change("jobs/change", { action, filter: of, through: found.through });
    notice(`${done.detail}.`, true);
  } catch (fault) { notice(fault.message, false); }
}

let noticeShown = null;
function notice(text, good) {
  noticeShown?.remove();
  noticeShown = el("p", { class: `notice ${good ? "good" : "bad"}`, role: "status", text });
  $("#main").insertBefore(noticeShown, $("#main").children[2]);
  announce(text);
  const mine = noticeShown;
  setTimeout(() => mine.remove(), 12_000);
}

function go(wanted) {
  const text = new URLSearchParams(Object.entries(wanted).filter(([, value]) => value)).toString();
  history.pushState(null, "", text ? `jobs?${text}` : "jobs");
  reload();
}
function reload() {
  const now = new URLSearchParams(location.search);
  cursor = now.get("cursor");
  for (const name of ["state", "kind", "tag", "id", "key"]) form.elements[name].value = now.get(name) ?? "";
  for (const { row } of rows.values()) row?.remove();
  rows.clear();
  order = [];
  isFirst = true;
  showCounts();
  live.restart();
}
addEventListener("popstate", reload);
form.addEventListener("submit", event => {
  event.preventDefault();
  const of = Object.fromEntries(new FormData(form));
  of.id = of.id.trim().toLowerCase();
  go(of);
});
form.addEventListener("reset", event => { event.preventDefault(); go({}); });
for (const name of ["state", "kind"]) form.elements[name].addEventListener("change", () => form.requestSubmit());
$("#counts").addEventListener("click", event => {
  const link = event.target.closest("a");
  if (!link || event.metaKey || event.ctrlKey || event.shiftKey) return;
  event.preventDefault();
  go({ ...filter(), state: new URL(link.href).searchParams.get("state") ?? "" });
});
$("#next").addEventListener("click", () => go({ ...filter(), cursor: next }));
$("#first").addEventListener("click", () => go(filter()));
$("#pause").addEventListener("click", event => {
  paused = !paused;
  set(event.currentTarget, "aria-pressed", `${paused}`);
  say(event.currentTarget, paused ? "Go on" : "Pause");
  announce(paused ? "Paused" : "Live");
  if (!paused) show();
});
