// Two runs: the problems whose solvability or verdicts changed.
import { el, number } from "./dom.js";
import { counts } from "./problems.js";
import { column, table } from "./table.js";

export function compareView(index, open) {
  const [first, second] = index.runs;
  const place = el("div", { class: "rows" });
  const rows = index.changes.map((change) => ({ ...change, id: change.problem_id, by: (change.after ?? 0) - (change.before ?? 0) }));
  requestAnimationFrame(() => table(place, rows, [
    column("Problem", "id", { width: 190 }),
    column(`Solved in ${first.id}`, "before", { numeric: true, width: 170, show: (row) => number(row.before) }),
    column(`in ${second.id}`, "after", { numeric: true, width: 150, show: (row) => number(row.after) }),
    column("Change", "by", { numeric: true, width: 96, show: (row) => number(row.by) }),
    column("Verdicts before", "verdicts_before", { grow: 1, least: 170, show: (row) => counts(row.verdicts_before) }),
    column("after", "verdicts_after", { grow: 1, least: 170, show: (row) => counts(row.verdicts_after) }),
  ], open));
  return el("section", {}, el("h2", {}, `What changed from ${first.id} to ${second.id}`),
    el("p", { class: "count" }, `${rows.length} problems differ in solvability or verdicts.`), place);
}
