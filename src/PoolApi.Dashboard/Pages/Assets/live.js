// One stream a page, and what is shown of it: connected or not, the app's stop, and the server's end.
import { $, el, say, set, duration, time, count, announce, isRefusal } from "./common.js";

const words = {
  starting: "starts", running: "running", lameduck: "stops soon", draining: "draining", cancelling: "cancelling", joining: "joining threads", flushing: "flushing telemetry",
};
const explained = {
  lameduck: "The server still takes work, for load balancers that have not noticed.",
  draining: "New requests are refused. Accepted work is being finished.",
  cancelling: "The drain's time is over: queued items are handed back, running items are cancelled.",
  joining: "The workers end and their threads are joined.",
  flushing: "The server has stopped. Telemetry is sent.",
};

/**
 * Keeps a stream of events open while the page is seen, and shows how the server is. A stream that breaks is opened again after a pause, which
 * grows until an event comes. If the server refuses the request itself (4xx), the page shows the reason and does not retry until restart().
 */
export class Live {
  #make; #on; #source = null; #last = null; #seen = 0; #status = null; #timer = null; #instance = null; #isPolling = false; #gone = false; #pause = 500;
  #isRefused = false; #restarts = 0;

  /**
   * @param make    makes the stream's URL from the id of the last event, or null
   * @param on      handlers by the name of an event; each gets the parsed data
   */
  constructor(make, on) {
    this.#make = make;
    this.#on = on;
    document.addEventListener("visibilitychange", () => document.hidden ? this.#close() : this.#open());
    setInterval(() => this.#look(), 1000);
    this.#open();
  }

  get instance() { return this.#instance; }

  /** Begins anew: another filter. */
  restart() {
    this.#close();
    this.#last = null;
    this.#isRefused = false;
    this.#restarts++;
    this.#open();
  }

  #open() {
    if (this.#source || document.hidden || this.#isPolling || this.#isRefused) return;
    const source = this.#source = new EventSource(this.#make(this.#last));
    this.#seen = performance.now();
    const take = (name, handler) => source.addEventListener(name, event => {
      if (source !== this.#source) return;
      this.#seen = performance.now();
      if (event.lastEventId) this.#last = event.lastEventId;
      this.#alive();
      handler(JSON.parse(event.data));
    });
    take("status", status => this.#show(status));
    take("shutdown", status => { this.#show(status); this.#close(); this.#poll(); });
    for (const [name, handler] of Object.entries(this.#on)) take(name, handler);
    let isOpened = false;
    source.onopen = () => { isOpened = true; this.#seen = performance.now(); };
    source.onerror = () => {
      if (source !== this.#source) return;
      this.#state("waiting", "reconnecting");
      this.#close();
      this.#poll(isOpened ? null : source.url);
    };
  }

  #close() {
    this.#source?.close();
    this.#source = null;
  }

  #alive() {
    this.#pause = 500;
    if (this.#gone) {
      this.#gone = false;
      announce("The server is back.");
    }
    this.#state("live", "live");
  }

  #state(is, text) {
    const live = $("#live");
    set(live, "data-is", is);
    say(live.lastElementChild, text);
  }

  /** A stream without an event for 40 s counts as broken and is opened again. The browser may not notice that it is broken. */
  #look() {
    if (!this.#source) return;
    const silent = performance.now() - this.#seen;
    if (silent > 40_000) { this.#close(); this.#open(); }
    else if (silent > 3000) this.#state("waiting", "silent");
  }

  /**
   * Asks for the status while there is no stream, until a server is starting or running. Meanwhile the page shows the progress of a stop.
   * @param url    the stream that never opened, or null
   */
  async #poll(url = null) {
    if (this.#isPolling) return;
    this.#isPolling = true;
    const restarts = this.#restarts;
    const why = url === null ? null : await refusal(url);
    if (why !== null && restarts === this.#restarts) {
      this.#isPolling = false;
      this.#refused(why);
      return;
    }
    while (true) {
      try {
        const response = await fetch("status", { cache: "no-store", redirect: "manual", signal: AbortSignal.timeout(3000) });
        if (isSignIn(response)) this.#state("gone", "not allowed: sign in and reload");
        else if (!response.ok) this.#lost(); // a proxy answers for it
        else {
          const status = await response.json();
          this.#show(status);
          if (status.state === "running" || status.state === "starting") {
            await pause(this.#nextPause());
            break;
          }
          this.#state("waiting", words[status.state] ?? status.state);
          await pause(400);
          continue;
        }
      } catch {
        this.#lost();
      }
      await pause(this.#nextPause());
    }
    this.#isPolling = false;
    this.#open();
  }

  #nextPause() {
    const now = this.#pause;
    this.#pause = Math.min(5000, now * 1.5);
    return now;
  }

  /** The server is there and refuses what the page asks for: the same request would be refused again. */
  #refused(why) {
    this.#isRefused = true;
    this.#state("gone", "refused");
    $("#banner").replaceChildren(el("div", { class: "banner gone" },
      el("strong", { text: "The server refuses what this page asks for" }), el("span", { class: "what", text: why })));
  }

  #lost() {
    this.#state("gone", "no response");
    if (!this.#status || this.#gone) return;
    this.#gone = true;
    const seen = this.#status;
    const banner = $("#banner");
    const ended = seen.state !== "running" && seen.state !== "starting";
    banner.replaceChildren(el("div", { class: "banner gone" },
      el("strong", { text: "The server is gone" }),
      el("span", { text: `Last seen at ${time(seen.now)}, ${words[seen.state] ?? seen.state}${ended && seen.reason ? ` (${seen.reason})` : ""}.` }),
      el("span", { text: "The page shows what it knew then, and comes back by itself." })));
    const badge = $("#state");
    say(badge, "gone");
    badge.className = "badge bad";
  }

  #show(status) {
    if (this.#instance && status.instance !== this.#instance) this.#last = null;
    this.#instance = status.instance;
    this.#status = status;
    const badge = $("#state");
    say(badge, words[status.state] ?? status.state);
    badge.className = `badge ${status.state === "running" ? "good" : "warn"}`;
    const jobs = $("#jobs-link");
    if (jobs) jobs.hidden = !status.jobs;
    const banner = $("#banner");
    if (status.state === "running" || status.state === "starting") {
      if (banner.firstChild) banner.replaceChildren();
      return;
    }
    const left = status.inFlight + status.queued;
    if (!banner.firstElementChild?.classList.contains("stop")) {
      banner.replaceChildren(el("div", { class: "banner stop" },
        el("strong"), el("span", { class: "what" }), el("progress", { max: 1, "aria-label": "Time of the stop" }), el("span", { class: "rest", "aria-live": "off" })));
    }
    say($("strong", banner), `The server stops: ${words[status.state] ?? status.state}`);
    say($(".what", banner), `Reason: ${status.reason}. ${explained[status.state] ?? ""}`);
    const progress = $("progress", banner);
    progress.hidden = status.timeLeftMs === null;
    if (status.timeLeftMs !== null) progress.value = status.elapsedMs / Math.max(1, status.elapsedMs + status.timeLeftMs);
    say($(".rest", banner), [
      left === 0 ? "Nothing is left" : `${count(status.inFlight)} running, ${count(status.queued)} waiting`,
      `for ${duration(status.elapsedMs)} now`,
      status.timeLeftMs === null ? null : `at most ${duration(status.timeLeftMs)} more`,
    ].filter(Boolean).join(" · "));
  }
}

/** Asks why the server refuses a stream, because EventSource does not say. Null if a later request may succeed. */
async function refusal(url) {
  const asked = new AbortController();
  const late = setTimeout(() => asked.abort(), 3000);
  try {
    const response = await fetch(url, { cache: "no-store", redirect: "manual", headers: { Accept: "text/event-stream" }, signal: asked.signal });
    if (!isSignIn(response) && !isRefusal(response.status)) return null;
    let detail = null;
    try { detail = (await response.json()).detail; } catch { /* not JSON */ }
    return detail ?? (isSignIn(response) ? "It is not allowed. Sign in and reload the page." : `The server answered ${response.status}.`);
  } catch {
    return null;
  } finally {
    clearTimeout(late);
    asked.abort(); // a stream that it gives now
  }
}

/** Whether the user must sign in first: a redirect leads to the page for that. */
function isSignIn(response) { return response.type === "opaqueredirect" || response.status === 401 || response.status === 403; }

function pause(ms) { return new Promise(done => setTimeout(done, ms)); }
