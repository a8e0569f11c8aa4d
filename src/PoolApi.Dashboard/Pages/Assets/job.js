import { $, el, say, duration, relative, moment, time, announce, confirmed, change, download, copyButton, readUntilAnswered } from "./common.js";
import { Live } from "./live.js";
import { isFinal, canCancel, canRetry, stateBadge, progressBar, took, stale } from "./job-words.js";

const id = new URLSearchParams(location.search).get("id") ?? "";
let job = null, offset = 0, canChange = true, isDue = true;
// The card is made anew for each version of the job. The notice about a change stays.
const noticeElement = el("p", { class: "notice", role: "status", id: "notice", hidden: true });

if (!/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(id)) none("The address names no job.");
else {
  readUntilAnswered(`job/known?id=${id}`, fault => none(fault.message)).then(known => { canChange = known.canChange; start(); }).catch(fault => none(fault.message));
}

function none(text) { say($("#none"), text); }

function start() {
  new Live(after => `job/stream?id=${id}${after ? `&after=${after}` : ""}`, {
    job(event) {
      offset = Date.now() - event.now;
      const before = job;
      job = event.job;
      if (before && before.state !== job.state) announce(`The job is ${job.state}`);
      show();
    },
    waiting() {},
  });
}
setInterval(() => { if (job) ticks(); }, 1000);

function ticks() {
  const now = Date.now() - offset;
  if (!isDue && job.runAt <= now + 1000) show();
  for (const node of document.querySelectorAll("[data-since]")) say(node, relative(Number(node.dataset.since), now));
  const ran = $("#took");
  if (ran) say(ran, took(job, now) || "–");
}

function show() {
  const card = $("#job");
  const now = Date.now() - offset;
  const focused = card.contains(document.activeElement) ? nameOf(document.activeElement) : null;
  isDue = job.state !== "queued" || job.runAt <= now + 1000;
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
      noticeElement,
      job.error ? el("p", { class: `notice ${job.state === "failed" || job.state === "expired" ? "bad" : ""}` }, el("b", { text: `${job.error.name}: ` }), job.error.detail) : ""),
    el("div", { class: "body" }, el("dl", { class: "facts" },
      fact("Accepted", since(job.createdAt)),
      fact("Attempt", `${job.attempt} of ${job.maxAttempts}`),
      fact("Ran for", el("span", { id: "took", text: took(job, now) || "–" })),
      fact("Priority", job.priority),
      fact("Instance", job.worker ?? "none yet", ...(job.stale ? [" ", el("span", { class: "badge bad", text: "stale", title: stale })] : [])),
      job.lane ? fact("Worker", el("a", { href: `./#worker=${encodeURIComponent(job.lane)}`, text: job.lane })) : "",
      job.client === null ? "" : fact("Client", job.client),
      job.deadline === null ? "" : fact("Must end", since(job.deadline)),
      fact("Tags", ...(job.tags.length === 0 ? ["none"] : job.tags.map(tag => el("a", { class: "tag", href: `jobs?tag=${encodeURIComponent(tag)}`, text: tag })))),
      trace ? fact("Trace", el("a", { class: "mono", href: `./#trace=${trace}`, text: trace, title: "Show it on the strips of this instance" }), " ", copyButton(trace, "trace id")) : "",
      fact("Result", job.hasResult === false || !["succeeded", "failed"].includes(job.state) ? "none" : el("a", { href: `job/result?id=${job.id}`, download: true, text: "Download" })),
      canChange ? fact("Payload", el("button", { type: "button", id: "payload", class: "small", text: "Download", "aria-label": "Download what the client has sent", onclick: payload })) : "")),
    el("div", { class: "body" }, el("h2", { text: "Timeline" }), el("ol", { class: "timeline" }, ...timeline(now))));
  if (focused === null) return;
  const title = $("#job-title");
  title.tabIndex = -1;
  // A control that is gone leaves the focus to the title, so that a user of the keyboard continues from the card.
  ([...card.querySelectorAll("a, button")].find(control => nameOf(control) === focused) ?? title).focus({ preventScroll: true });
}

/** By what a control is the same in the next card. */
function nameOf(control) { return control.id || control.getAttribute("aria-label") || control.textContent; }

/** All kept attempts, the oldest first. The job's own fields describe the latest. */
function timeline(now) {
  const items = [];
  const add = (is, title, at, ...more) => items.push(el("li", { "data-is": is },
    el("strong", { text: title }), at === null ? "" : el("time", { datetime: new Date(at).toISOString(), title: relative(at, now), text: moment(at) }), ...more.filter(Boolean).map(text => el("p", { class: "muted", text }))));
  const why = error => error ? `${error.name}${error.detail ? `: ${error.detail}` : ""}` : null;
  const claimed = (is, number, at, worker, after) => {
    const late = after === null ? "" : after < 1 ? ", as soon as it was due" : `, ${duration(after)} after it was due`;
    add(is, `Attempt ${number} of ${job.maxAttempts} claimed`, at, `By ${worker ?? "an instance"}${late}.`);
  };
  add("done", "Accepted", job.createdAt, job.earlier.length === 0 && job.runAt > job.createdAt + 1000 ? `Not to begin before ${moment(job.runAt)}.` : null);
  if (job.earlier.length > 0 && job.earlier[0].attempt > 1) add("future", "Earlier attempts", null, "Only the latest ones are kept.");
  for (const a of job.earlier) {
    const ran = a.startedAt === null ? null : `After ${duration(a.endedAt - a.startedAt)}.`;
    if (a.startedAt !== null) claimed("done", a.attempt, a.startedAt, a.worker, null);
    if (a.outcome === "retried") add("failed", `Attempt ${a.attempt} failed, and is tried again`, a.endedAt, ran, why(a.error));
    else if (a.outcome === "handed-back") add("cancelled", `Attempt ${a.attempt} handed back`, a.endedAt, "The instance could not run it, or stopped: the attempt does not count.");
    else if (a.outcome === "lost") add("failed", `Attempt ${a.attempt} lost`, a.endedAt, "Its instance died, or did not renew its lease. The job is queued again.");
    else {
      add(a.outcome, capital(a.outcome), a.endedAt, ran, why(a.error));
      add("done", "Retried by hand", null, "Queued again with all its attempts.");
    }
  }
  const last = job.earlier.at(-1);
  // The latest attempt is in the list if it was retried, lost or handed back.
  if (job.startedAt !== null && job.startedAt !== last?.startedAt)
    claimed(job.state === "running" ? "running" : "done", job.attempt, job.startedAt, job.worker, job.attempt === 1 && !last ? job.startedAt - Math.max(job.createdAt, job.runAt) : null);
  if (job.state === "running") {
    add("running", job.cancelRequested ? "Running, cancellation requested" : "Running", null, job.progress === null ? null : `${Math.round(job.progress * 100)} % done.`);
    if (job.stale) add("failed", "Stale", null, stale);
  }
  if (job.state === "queued") add("future", !isDue ? `Waits until ${time(job.runAt)}` : "Waits for a worker", null);
  if (isFinal(job.state)) add(job.state, capital(job.state), job.finishedAt, why(job.error));
  return items;
}

function capital(text) { return text[0].toUpperCase() + text.slice(1); }

/** Downloads the payload as a file. The request is sent like a change, because it may need the key. */
async function payload() {
  try {
    const file = await download(`job/payload?id=${id}`);
    const link = el("a", { href: URL.createObjectURL(file), download: `job-${id}-payload` });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  } catch (fault) { notice(fault.message, false); }
}

function notice(text, good) {
  noticeElement.className = `notice ${good ? "good" : "bad"}`;
  noticeElement.hidden = false;
  say(noticeElement, capital(text));
}

async function act(action) {
  if (action === "cancel") {
    const sure = await confirmed("Cancel the job?", job.state === "running" ? "Its cancellation is requested." : "It has not begun.", "Cancel the job");
    // The button that asked may have been made anew meanwhile.
    if (document.activeElement === document.body) $("#cancel")?.focus();
    if (!sure) return;
  }
  let text, good = true;
  try { text = `${(await change("jobs/change", { action, job: id })).detail}.`; } catch (fault) { text = fault.message; good = false; }
  notice(text, good);
}
