import { $, el, say, duration, relative, moment, time, announce, confirmed, change, copyButton, read } from "./common.js";
import { Live } from "./live.js";
import { isFinal, canCancel, canRetry, stateBadge, progressBar, took } from "./job-words.js";

const id = new URLSearchParams(location.search).get("id") ?? "";
let job = null, offset = 0, canChange = true, attempts = [], shown = null;

if (!/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(id)) none("The address names no job.");
else {
  read(`job/known?id=${id}`).then(known => { canChange = known.canChange; if (job) show(); start(); }).catch(fault => none(fault.message));
}

function none(text) { say($("#none"), text); }

function start() {
  new Live(after => `job/stream?id=${id}${after ? `&after=${after}` : ""}`, {
    job(told) {
      offset = Date.now() - told.now;
      const before = job;
      job = told.job;
      attempts = told.attempts ?? [];
      if (before && before.state !== job.state) announce(`The job is ${job.state}`);
      show();
    },
    waiting() {},
  });
}
setInterval(() => { if (job && !isFinal(job.state)) ticks(); }, 1000);

function ticks() {
  const now = Date.now() - offset;
  for (const node of document.querySelectorAll("[data-since]")) say(node, relative(Number(node.dataset.since), now));
  const ran = $("#took");
  if (ran) say(ran, took(job, now) || "–");
}

function show() {
  const card = $("#job");
  const now = Date.now() - offset;
  const focus = card.contains(document.activeElement) ? document.activeElement.id : null;
  document.title = `${job.state} · ${job.kind} · job`;
  const since = at => el("span", { "data-since": `${at}`, title: moment(at), text: relative(at, now) });
  const fact = (term, ...what) => el("div", {}, el("dt", { text: term }), el("dd", {}, ...what));
  const buttons = canChange ? [
    canCancel(job) ? el("button", { type: "button", id: "cancel", class: "danger", text: "Cancel…", onclick: () => act("cancel") }) : null,
    canRetry(job) ? el("button", { type: "button", id: "retry", class: "primary", text: "Retry", onclick: () => act("retry") }) : null,
  ].filter(Boolean) : [];
  const trace = job.trace ?? null;
  card.replaceChildren(
    el("header", {}, el("h1", { id: "job-title", text: job.kind }), stateBadge(job), ...[progressBar(job)].filter(Boolean), el("span", { class: "grow" }), ...buttons),
    el("div", { class: "body" },
      el("p", { class: "row" }, el("span", { class: "mono", text: job.id }), copyButton(job.id, "job id")),
      el("p", { class: "notice", role: "status", id: "notice", hidden: true }),
      job.error ? el("p", { class: `notice ${job.state === "failed" || job.state === "expired" ? "bad" : ""}` }, el("b", { text: `${job.error.name}: ` }), job.error.detail) : ""),
    el("div", { class: "body" }, el("dl", { class: "facts" },
      fact("Came", since(job.createdAt)),
      fact("Attempt", `${job.attempt} of ${job.maxAttempts}`),
      fact("Ran for", el("span", { id: "took", text: took(job, now) || "–" })),
      fact("Priority", job.priority),
      fact("Instance", job.worker ?? "none yet"),
      job.client === null ? "" : fact("Client", job.client),
      job.deadline === null ? "" : fact("Must end", since(job.deadline)),
      fact("Tags", ...(job.tags.length === 0 ? ["none"] : job.tags.map(tag => el("a", { class: "tag", href: `jobs?tag=${encodeURIComponent(tag)}`, text: tag })))),
      trace ? fact("Trace", el("span", { class: "mono", text: trace }), " ", copyButton(trace, "trace id")) : "",
      fact("Result", job.hasResult === false || !["succeeded", "failed"].includes(job.state) ? "none" : el("a", { href: `job/result?id=${job.id}`, download: true, text: "Download" })))),
    el("div", { class: "body" }, el("h2", { text: "Timeline" }), el("ol", { class: "timeline" }, ...timeline(now))));
  if (focus) document.getElementById(focus)?.focus();
  else if (shown && shown !== job.state && document.activeElement === document.body) $("#job-title").setAttribute("tabindex", "-1");
  shown = job.state;
}

function timeline(now) {
  const items = [];
  const add = (is, title, at, ...more) => items.push(el("li", { "data-is": is },
    el("strong", { text: title }), at === null ? "" : el("time", { datetime: new Date(at).toISOString(), title: relative(at, now), text: moment(at) }), ...more.map(text => el("p", { class: "muted", text }))));
  add("done", "Accepted", job.createdAt, `Version 1. ${job.runAt > job.createdAt + 1000 ? `Not to begin before ${moment(job.runAt)}.` : "Due at once."}`);
  for (const a of attempts) {
    if (a.event === "claimed") add("done", `Attempt ${a.attempt} claimed`, a.at, `By ${a.worker}${a.queuedMs === null ? "" : `, after ${duration(a.queuedMs)} in the queue`}.`);
    else if (a.event === "handedBack") add("cancelled", `Attempt ${a.attempt} handed back`, a.at, "The instance could not run it: it does not count.");
    else if (a.event === "retrying") add("failed", `Attempt ${a.attempt} failed, and is tried again`, a.at, ...[a.detail].filter(Boolean));
    else if (a.event === "retried") add("done", "Retried by hand", a.at, "Queued again with all its attempts.");
    else if (a.event === "cancelRequested") add("cancelled", "Cancellation asked for", a.at);
    else if (a.event === "ended") add(a.state, `Attempt ${a.attempt} ${a.state}`, a.at, ...[a.detail, a.ranMs === null ? null : `Ran for ${duration(a.ranMs)}.`].filter(Boolean));
  }
  const last = attempts.at(-1);
  if (job.startedAt !== null && !attempts.some(a => a.event === "claimed" && a.attempt === job.attempt))
    add(job.state === "running" ? "running" : "done", `Attempt ${job.attempt} of ${job.maxAttempts} claimed`, job.startedAt, job.attempt > 1 ? `By ${job.worker}. Earlier attempts ran on another instance, or before this one started.` : `By ${job.worker}, ${duration(job.startedAt - Math.max(job.createdAt, job.runAt))} after it was due.`);
  if (job.state === "running") add("running", job.cancelRequested ? "Running, told to stop" : "Running", null, job.progress === null ? `For ${took(job, now)}.` : `For ${took(job, now)}, ${Math.round(job.progress * 100)} % done.`);
  if (job.state === "queued") add("future", job.runAt > now + 1000 ? `Waits until ${time(job.runAt)}` : "Waits for a worker", null, job.error ? `The last attempt: ${job.error.detail}` : "");
  if (isFinal(job.state) && !(last?.event === "ended" && last.state === job.state)) add(job.state, job.state[0].toUpperCase() + job.state.slice(1), job.finishedAt, ...[job.error?.detail].filter(Boolean));
  return items;
}

async function act(action) {
  if (action === "cancel" && !await confirmed("Cancel the job?", job.state === "running" ? "Its worker is told to stop." : "It has not begun.", "Cancel the job")) return;
  let text, good = true;
  try { text = `${(await change("jobs/change", { action, job: id })).detail}.`; } catch (fault) { text = fault.message; good = false; }
  const notice = $("#notice");
  notice.className = `notice ${good ? "good" : "bad"}`;
  notice.hidden = false;
  say(notice, text[0].toUpperCase() + text.slice(1));
}
