// All problems of a run, to sort, search and filter.
import { choice, el, number } from "./dom.js";
import { column, table } from "./table.js";

export const CLASSES = ["never", "sometimes", "always", "not rolled out"];

/** Whether the policy solved a problem never, sometimes or always. */
export function classOf(row) {
  if (row.solvability === null) return "not rolled out";
  return row.solvability === 0 ? "never" : row.solvability === 1 ? "always" : "sometimes";
}

/** The share of correct rollouts as it is shown; empty where none was drawn. */
export const share = (row) => (row.solvability === null ? "" : number(row.solvability, 2));

const WEIGHTS = { "0": [0, 0.05], "0.05": [0.05, 0.3], "0.3": [0.3, 0.7], "0.7": [0.7, Infinity] };

// What a filter's value must be found in, a row's own values.
const FIELDS = {
  solved: (row) => [classOf(row)],
  share: (row) => [share(row)],
  bucket: (row) => [row.bucket],
  verdict: (row) => Object.keys(row.verdicts),
  fate: (row) => Object.keys(row.fates),
  dropped: (row) => [row.dropped],
  source: (row) => [row.source],
  weight: (row) => Object.keys(WEIGHTS).filter((key) => row.weight !== null && row.weight >= WEIGHTS[key][0] && row.weight < WEIGHTS[key][1]),
  length: (row) => [row.length === null ? "" : row.length < 100 ? "under 100" : row.length < 500 ? "100 to 499" : "500 and more"],
};
const LABELS = { solved: "Solved", share: "Share correct", bucket: "Bucket", verdict: "With verdict", fate: "With rollout", dropped: "Dropped for", source: "Source", weight: "Expert weight", length: "Tokens" };
const NAMES = { weight: { "0": "under 0.05", "0.05": "0.05 to 0.3", "0.3": "0.3 to 0.7", "0.7": "0.7 and more" } };

/** Whether a row passes all filters; `q` is searched for in its id and prompt. */
export function passes(row, filters) {
  const wanted = (filters.q ?? "").toLowerCase();
  if (wanted && !`${row.id} ${row.prompt}`.toLowerCase().includes(wanted)) return false;
  return Object.entries(FIELDS).every(([name, values]) => !filters[name] || values(row).includes(filters[name]));
}

export function problemsView(run, filters, open, changed) {
  const place = el("div", { class: "rows" });
  const count = el("p", { class: "count", "aria-live": "polite" });
  const filter = () => { if (made?.initialized) made.setFilter((row) => passes(row, filters)); }; // else once it is built
  const apply = () => { filter(); tell(); changed(filters); };
  const tell = () => { count.textContent = `${run.problems.filter((row) => passes(row, filters)).length} of ${run.problems.length} problems`; };
  const set = (name) => (value) => { filters[name] = value; apply(); };
  const view = el("section", {},
    el("h2", {}, "Problems"),
    el("div", { class: "filters" },
      el("label", { class: "choice" }, "Search ", el("input", { type: "search", value: filters.q ?? "", placeholder: "id or prompt", oninput: (event) => set("q")(event.target.value) })),
      Object.entries(FIELDS).map(([name, values]) => options(name, values, run.problems, filters[name] ?? "", set(name)))),
    count, place);
  let made;
  requestAnimationFrame(() => { // the table measures its place in the document
    made = table(place, run.problems, COLUMNS, open);
    made.on("tableBuilt", filter);
    tell();
  });
  return view;
}

function options(name, values, rows, value, set) {
  const found = [...new Set(rows.flatMap(values))].filter(Boolean).sort();
  if (found.length < 2 && !value) return null;
  const named = found.map((key) => [key, NAMES[name]?.[key] ?? key.replaceAll("_", " ")]);
  return choice(LABELS[name], [["", "any"], ...named], value, set);
}

/** What was counted, by name. */
export const counts = (found) => Object.entries(found).sort().map(([name, count]) => `${count} ${name.replaceAll("_", " ")}`).join(", ");

const COLUMNS = [
  column("Problem", "id", { width: 190 }),
  column("Prompt", "prompt", { grow: 3, least: 200 }),
  column("Solved", "solvability", { numeric: true, width: 92, show: (row) => (row.solvability === null ? "–" : number(row.solvability)) }),
  column("Verdicts", "verdicts", { grow: 2, least: 170, show: (row) => row.dropped || counts(row.verdicts) }),
  column("Bucket", "bucket", { width: 130 }),
  column("Expert weight", "weight", { numeric: true, width: 142, show: (row) => number(row.weight) }),
  column("Expert loss", "loss", { numeric: true, width: 126, show: (row) => number(row.loss) }),
  column("Tokens", "length", { numeric: true, width: 92 }),
];
