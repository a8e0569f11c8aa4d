// The changes that were made with this dashboard, as a table.
import { $, el, time, relative } from "./common.js";

export function showLog(actions) {
  const card = $("#actions");
  if (!card) return;
  card.hidden = actions.length === 0;
  card.replaceChildren(
    el("header", {}, el("h2", { id: "actions-title", text: "Changes made here" }), el("span", { class: "muted", text: `the last ${actions.length === 1 ? "one" : actions.length} on this instance` })),
    el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Table of changes" }, el("table", {},
      el("thead", {}, el("tr", {}, ...["When", "Who", "What", "Outcome"].map(text => el("th", { scope: "col", text })))),
      el("tbody", {}, ...actions.map(a => el("tr", {},
        el("th", { scope: "row", text: time(a.at), title: relative(a.at) }), el("td", { text: a.by ?? "–" }), el("td", { text: a.what }), el("td", { text: a.outcome })))))));
}
