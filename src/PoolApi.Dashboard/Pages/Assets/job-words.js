// Texts about a job, for both pages of jobs.
import { el, duration } from "./common.js";

export const states = ["queued", "running", "succeeded", "failed", "cancelled", "expired"];
export const isFinal = state => !["queued", "running"].includes(state);
export const canCancel = job => !isFinal(job.state) && !job.cancelRequested;
export const canRetry = job => ["failed", "cancelled", "expired"].includes(job.state);

/** Said where an instance has missed two renewals of its lease. */
export const stale = "The instance that runs it has not renewed its lease. It may be dead: then another instance takes over the job when the lease has run out.";

export function stateBadge(job) {
  return el("span", { class: "badge", "data-state": job.state === "running" ? null : job.state, "data-job": job.state, text: job.cancelRequested && !isFinal(job.state) ? `${job.state}, to be cancelled` : job.state });
}

export function progressBar(job) {
  if (job.progress === null || job.state !== "running") return null;
  const percent = Math.round(job.progress * 100);
  const fill = el("i");
  fill.style.width = `${percent}%`;
  return el("span", { class: "progress" }, el("span", { class: "bar", role: "progressbar", "aria-label": "Progress", "aria-valuemin": "0", "aria-valuemax": "100", "aria-valuenow": `${percent}` }, fill), `${percent} %`);
}

/** How long it ran, or has been running. */
export function took(job, now) {
  if (job.startedAt === null) return "";
  if (job.state === "running") return duration(Math.max(0, now - job.startedAt));
  return job.finishedAt === null ? "" : duration(Math.max(0, job.finishedAt - job.startedAt));
}
