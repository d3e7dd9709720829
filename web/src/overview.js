// The run's figures; each bar leads to the problems behind it.
import { el, grid, number, percent, tenths } from "./dom.js";
import { CLASSES, classOf, share } from "./problems.js";

export function overview(run, show) {
  return el("section", {},
    el("h2", {}, "Overview"),
    accuracies(run),
    el("div", { class: "cards" },
      bars("Solved by the policy", tally(run.problems.map(classOf)), (name) => show({ solved: name }), CLASSES),
      bars("Share of correct rollouts", tally(run.problems.map(share)), (name) => show({ share: name }), shares(run)),
      bars("Router bucket", tally(run.problems.map((row) => row.bucket)), (name) => show({ bucket: name })),
      bars("Verdicts on rollouts", sum(run.problems.map((row) => row.verdicts)), (name) => show({ verdict: name })),
      bars("What became of rollouts", sum(run.problems.map((row) => row.fates)), (name) => show({ fate: name })),
      bars("Problems dropped", tally(run.problems.map((row) => row.dropped)), (name) => show({ dropped: name })),
      bars("Source", tally(run.problems.map((row) => row.source)), (name) => show({ source: name }))),
    weights(run),
    run.notes.length > 0 && [el("h3", {}, "Notes"), el("ul", {}, run.notes.map((note) => el("li", {}, note)))]);
}

function accuracies(run) {
  if (run.accuracies.length === 0) return null;
  const rows = run.accuracies.map((row) => [row.benchmark, row.checkpoint.replaceAll("_", " "), String(row.problems), `${percent(row.mean)} [${percent(row.low)}, ${percent(row.high)}]`]);
  const changes = run.differences.map((row) => [row.benchmark, `${row.before} → ${row.after}`.replaceAll("_", " "), `${signed(row.mean)} [${signed(row.low)}, ${signed(row.high)}]`, row.real ? "yes" : "no"]);
  return [
    el("h3", {}, "Accuracy, percent"),
    grid(["benchmark", "checkpoint", "problems", "mean and interval"], rows, { label: "accuracy" }),
    changes.length > 0 && grid(["benchmark", "change", "points", "excludes zero"], changes, { label: "differences" }),
  ];
}

const signed = (value) => (value >= 0 ? "+" : "−") + tenths(Math.abs(100 * value));

function weights(run) {
  const buckets = [...new Set(run.problems.filter((row) => row.weight !== null).map((row) => row.bucket))];
  if (buckets.length === 0) return null;
  return [el("h3", {}, "Weights"), grid(["bucket", "problems", "mean expert weight", "own solutions", "their mean weight"], buckets.map((bucket) => {
    const rows = run.problems.filter((row) => row.bucket === bucket && row.weight !== null);
    const own = rows.reduce((total, row) => total + row.own, 0);
    return [bucket, String(rows.length), number(mean(rows.map((row) => row.weight))), String(own), own ? number(rows.reduce((total, row) => total + row.ownWeight, 0) / own) : "–"];
  }), { label: "weights" })];
}

const mean = (values) => values.reduce((total, value) => total + value, 0) / values.length;

const shares = (run) => [...new Set(run.problems.map(share))].sort((a, b) => a - b);

function tally(values) {
  const found = {};
  for (const value of values) if (value) found[value] = (found[value] ?? 0) + 1;
  return found;
}

function sum(counts) {
  const found = {};
  for (const each of counts) for (const [name, count] of Object.entries(each)) found[name] = (found[name] ?? 0) + count;
  return found;
}

function bars(title, counts, open, order = null) {
  const names = order ? order.filter((name) => name in counts) : Object.keys(counts);
  if (names.length === 0) return null;
  const sorted = order ? names : names.sort((a, b) => counts[b] - counts[a]);
  const most = Math.max(...Object.values(counts));
  return el("section", { class: "card" }, el("h3", {}, title), sorted.map((name) =>
    el("button", { class: "bar", type: "button", onclick: () => open(name), title: "show these problems" },
      el("span", { class: "name" }, name.replaceAll("_", " ")),
      el("span", { class: "track" }, el("span", { class: "fill", style: { width: `${(100 * counts[name]) / most}%` } })),
      el("span", { class: "num" }, String(counts[name])))));
}
