"use strict";
// Asks for the state of the workers once a second while the page is visible. Everything from the server goes in as text.

const period = 1000;
const pools = document.getElementById("pools");
const state = document.getElementById("state");
const message = document.getElementById("message");
const views = new Map(); // pool name → its elements and the busy seconds of its workers at the last look

function duration(ms) {
  if (ms === null) return "–";
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 60000) return `${(ms / 1000).toFixed(1)} s`;
  return `${Math.floor(ms / 60000)} min ${Math.round((ms % 60000) / 1000)} s`;
}

function bytes(n) {
  if (n < 1024) return `${n} B`;
  if (n < 1048576) return `${(n / 1024).toFixed(0)} KiB`;
  return `${(n / 1048576).toFixed(1)} MiB`;
}

function cell(row, text, className = "") {
  const td = row.insertCell();
  td.textContent = text;
  td.className = className;
}

function viewOf(pool) {
  let view = views.get(pool.name);
  if (!view) {
    const section = document.getElementById("pool").content.cloneNode(true).firstElementChild;
    section.querySelector("h2").textContent = `Pool ${pool.name}`;
    pools.append(section);
    view = { section, busy: new Map(), at: 0 };
    views.set(pool.name, view);
  }
  return view;
}

function show(pool, now) {
  const view = viewOf(pool);
  const text = (selector, value) => { view.section.querySelector(selector).textContent = value; };
  text(".busy", `${pool.workers.filter(w => w.state === "busy" || w.state === "stuck").length} of ${pool.workers.length}`);
  text(".waiting", `${pool.queue.length} of ${pool.queue.capacity}`);
  text(".oldest", duration(pool.queue.oldestAgeMs));
  text(".bytes", bytes(pool.queue.bytes));
  text(".suspended", `${pool.suspended}`);
  const meter = view.section.querySelector("meter");
  meter.max = pool.queue.capacity;
  meter.value = pool.queue.length;
  const rows = document.createElement("tbody");
  for (const w of pool.workers) {
    const row = rows.insertRow();
    row.className = w.state;
    row.dataset.worker = w.name;
    const before = view.busy.get(w.id);
    const share = before === undefined ? null : Math.min(1, (w.busySeconds - before) / ((now - view.at) / 1000));
    view.busy.set(w.id, w.busySeconds);
    cell(row, w.name);
    cell(row, w.state, "state");
    cell(row, w.route ?? w.kind ?? "–");
    cell(row, duration(w.elapsedMs), "number");
    cell(row, w.traceId ?? "–", "trace");
    cell(row, w.completed, "number");
    cell(row, w.failed, "number");
    cell(row, duration(w.busySeconds * 1000), "number");
    cell(row, share === null ? "–" : `${Math.round(share * 100)} %`, "number");
  }
  view.at = now;
  view.section.querySelector("tbody").replaceWith(rows);
}

async function look() {
  try {
    const answer = await fetch("v1/workers", { cache: "no-store", signal: AbortSignal.timeout(5000) });
    if (!answer.ok) throw new Error(`the server answered ${answer.status}`);
    const view = await answer.json();
    const now = performance.now();
    state.textContent = view.state;
    state.className = `badge ${view.state === "running" ? "running" : "stopping"}`;
    message.hidden = true;
    for (const pool of view.pools) show(pool, now);
  } catch (error) {
    state.textContent = "no answer";
    state.className = "badge lost";
    message.textContent = `The server does not answer (${error.message}). What is below is what it said last.`;
    message.hidden = false;
  }
}

async function watch() {
  if (!document.hidden) await look();
  setTimeout(watch, period);
}

watch();
