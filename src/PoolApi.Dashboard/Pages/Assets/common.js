// Functions of every page: making elements, formatting numbers, copying, requests, and announcements to screen readers.
// Every value from the server goes into the page as text, never as markup.

export function $(selector, within = document) { return within.querySelector(selector); }

export function el(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "text") element.textContent = value;
    else if (name === "class") element.className = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter(child => child !== null && child !== undefined));
  return element;
}

/** Sets a text only where it differs: an unchanged node costs the browser nothing, and a screen reader reads nothing aloud. */
export function say(element, text) { if (element.textContent !== text) element.textContent = text; }

export function set(element, name, value) {
  if (value === null || value === undefined) { if (element.hasAttribute(name)) element.removeAttribute(name); }
  else if (element.getAttribute(name) !== `${value}`) element.setAttribute(name, value);
}

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const day = new Intl.DateTimeFormat("en-GB", { year: "numeric", month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", second: "2-digit" });

export function count(n) { return whole.format(n); }

export function decimal(n) {
  if (n === null || n === undefined || Number.isNaN(n)) return "–";
  const size = Math.abs(n);
  return size === 0 ? "0" : size < 10 ? n.toFixed(size < 1 ? 2 : 1) : whole.format(n);
}

export function duration(ms) {
  if (ms === null || ms === undefined || Number.isNaN(ms)) return "–";
  if (ms < 0.0005) return "0";
  if (ms < 1) return `${Math.max(1, Math.round(ms * 1000))} µs`;
  if (ms < 10) return `${ms.toFixed(1)} ms`;
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)} s`;
  if (ms < 3_600_000) return `${Math.floor(ms / 60_000)} min ${Math.floor(ms % 60_000 / 1000)} s`;
  if (ms < 172_800_000) return `${Math.floor(ms / 3_600_000)} h ${Math.floor(ms % 3_600_000 / 60_000)} min`;
  return `${Math.floor(ms / 86_400_000)} d ${Math.floor(ms % 86_400_000 / 3_600_000)} h`;
}

export function bytes(n) {
  if (n === null || n === undefined) return "–";
  if (n < 1024) return `${n} B`;
  if (n < 1_048_576) return `${decimal(n / 1024)} KiB`;
  if (n < 1_073_741_824) return `${decimal(n / 1_048_576)} MiB`;
  return `${decimal(n / 1_073_741_824)} GiB`;
}

export function time(at) { return clock.format(new Date(at)); }
export function moment(at) { return day.format(new Date(at)); }

/** "3 s ago" or "in 5 min". */
export function relative(at, now = Date.now()) {
  const ms = now - new Date(at).getTime();
  return Math.abs(ms) < 1000 ? "now" : ms > 0 ? `${duration(ms)} ago` : `in ${duration(-ms)}`;
}

/** Announces a text to screen readers only. */
export function announce(text) {
  const announcer = document.getElementById("announcer");
  if (announcer) announcer.textContent = text;
}

/** Copies, also where the page came by plain HTTP and there is no navigator.clipboard. */
export async function copy(text) {
  try {
    if (navigator.clipboard && window.isSecureContext) {
      await navigator.clipboard.writeText(text);
      return true;
    }
  } catch { /* not allowed: the older way may be */ }
  const area = el("textarea", { class: "sr", readonly: true, "aria-hidden": "true" });
  area.value = text;
  // Inside the open dialog, if there is one: what is outside cannot have the focus.
  (document.querySelector("dialog[open]") ?? document.body).append(area);
  const before = document.activeElement;
  area.select();
  let done = false;
  try { done = document.execCommand("copy"); } finally { area.remove(); before?.focus?.(); }
  return done;
}

export function copyButton(text, what) {
  const button = el("button", { type: "button", class: "small plain", text: "Copy", "aria-label": `Copy ${what}` });
  let again;
  button.addEventListener("click", async () => {
    const done = await copy(typeof text === "function" ? text() : text);
    button.textContent = done ? "Copied" : "Not copied";
    announce(done ? `Copied ${what}` : `${what} could not be copied`);
    clearTimeout(again);
    again = setTimeout(() => { button.textContent = "Copy"; }, 1500);
  });
  return button;
}

/** Shows a question in the middle of the page. Resolves to whether the answer is the button with the value "yes". */
function ask(attributes, ...content) {
  return new Promise(resolve => {
    const dialog = el("dialog", { "aria-labelledby": "ask-title", ...attributes }, el("form", { method: "dialog" }, ...content));
    dialog.addEventListener("close", () => { dialog.remove(); resolve(dialog.returnValue === "yes"); });
    document.body.append(dialog);
    dialog.showModal();
  });
}

/** Asks before a change. Resolves to whether it is wanted. */
export function confirmed(title, text, action, danger = true) {
  return ask({ "aria-describedby": "ask-text" },
    el("h2", { id: "ask-title", text: title }),
    el("p", { id: "ask-text", text }),
    el("div", { class: "row" },
      el("button", { value: "no", text: "Leave it" }),
      el("button", { value: "yes", class: danger ? "danger" : "primary", text: action })));
}

// The key for changes, if the server asks for one as "Authorization: Bearer". It is lost when the page is left or reloaded.
let key = null;

/** Asks for the key that the server wants. Resolves to it, or to null. */
async function askForKey() {
  const input = el("input", { type: "password", id: "key", autocomplete: "off", required: "", autofocus: "" });
  const wanted = await ask({},
    el("h2", { id: "ask-title", text: "A key is needed" }),
    el("p", {}, el("label", { for: "key", text: "Changes need a key with the role admin. This page forgets it when you leave or reload it." })),
    el("p", {}, input),
    el("div", { class: "row" },
      // First, so that Enter in the field means it.
      el("button", { value: "yes", class: "primary", text: "Use the key" }),
      el("button", { value: "no", formnovalidate: "", text: "Leave it" })));
  return wanted ? input.value.trim() : null;
}

function post(url, body) {
  const headers = { "Content-Type": "application/json", Accept: "application/json" };
  if (key) headers.Authorization = `Bearer ${key}`;
  return fetch(url, { method: "POST", headers, body: JSON.stringify(body ?? {}), signal: AbortSignal.timeout(60_000) });
}

/** Sends a request. If the server needs a key, asks the user for it and sends the request again. */
async function send(url, body) {
  const response = await post(url, body);
  if (response.status !== 401 || !/^Bearer/i.test(response.headers.get("WWW-Authenticate") ?? "")) return response;
  key = await askForKey();
  return key ? post(url, body) : response;
}

/** Reads a file that needs the right to change something. Rejects with the server's reason. */
export async function download(url) {
  const response = await send(url);
  if (response.ok) return response.blob();
  let detail = null;
  try { detail = (await response.json()).detail; } catch { /* a proxy's page */ }
  throw new Error(detail ?? `The server answered ${response.status}.`);
}

/** Sends a change. Resolves to the response's JSON; rejects with the fault that the server reports. */
export async function change(url, body) {
  const response = await send(url, body);
  const text = await response.text();
  let json = null;
  try { json = text ? JSON.parse(text) : null; } catch { /* a proxy's page */ }
  if (!response.ok) throw new Error(json?.detail ?? json?.title ?? `The server answered ${response.status}.`);
  return json;
}

export async function read(url, signal) {
  const response = await fetch(url, { cache: "no-store", headers: { Accept: "application/json" }, signal: signal ?? AbortSignal.timeout(10_000) });
  if (!response.ok) {
    let detail = null;
    try { detail = (await response.json()).detail; } catch { /* not JSON */ }
    const fault = new Error(detail ?? `The server answered ${response.status}.`);
    fault.status = response.status;
    throw fault;
  }
  return response.json();
}

/** Whether the same request would be refused again. 408, 425 and 429 mean: later. */
export function isRefusal(status) { return status >= 400 && status < 500 && ![408, 425, 429].includes(status); }

/**
 * Reads again and again, with pauses, until there is a response. Rejects if the server refuses the request itself.
 * @param failed    gets each fault after which it continues
 */
export async function readUntilAnswered(url, failed) {
  while (true) {
    try { return await read(url); } catch (fault) {
      if (isRefusal(fault.status)) throw fault;
      failed(fault);
    }
    await new Promise(done => setTimeout(done, 5000));
  }
}

export const still = matchMedia("(prefers-reduced-motion: reduce)");
export const dark = matchMedia("(prefers-color-scheme: dark)");

/** A colour of the sheet, for a canvas. */
export function colour(name) { return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim(); }
