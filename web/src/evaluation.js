// The benchmarks' problems: what each checkpoint answered, side by side.
import { choice, el, percent } from "./dom.js";
import { asked, badge, judged } from "./problem.js";
import { prose } from "./prose.js";
import { column, table } from "./table.js";

export function evaluationView(run, filters, open, changed) {
  const checkpoints = [...new Set(run.evaluation.flatMap((row) => Object.keys(row.shares)))];
  const benchmarks = [...new Set(run.evaluation.map((row) => row.benchmark))];
  const place = el("div", { class: "rows" });
  const passes = (row) => (!filters.change || row.change === filters.change) && (!filters.benchmark || row.benchmark === filters.benchmark) && (!filters.verdict || filters.verdict in row.verdicts);
  const count = el("p", { class: "count", "aria-live": "polite" });
  const tell = () => { count.textContent = `${run.evaluation.filter(passes).length} of ${run.evaluation.length} problems`; };
  const filter = () => { if (made?.initialized) made.setFilter(passes); }; // else once it is built
  const set = (name) => (value) => { filters[name] = value; filter(); tell(); changed(filters); };
  const any = (values) => [["", "any"], ...values.map((each) => [each, each.replaceAll("_", " ")])];
  const verdicts = [...new Set(run.evaluation.flatMap((row) => Object.keys(row.verdicts)))];
  const columns = [
    column("Problem", "id", { width: 190 }),
    column("Prompt", "prompt", { grow: 3, least: 200 }),
    ...checkpoints.map((name) => column(name.replaceAll("_", " "), name, { numeric: true, width: 120, show: (row) => (name in row.shares ? `${percent(row.shares[name])} %` : "–") })),
    column("Change", "change", { width: 104 }),
  ];
  let made;
  requestAnimationFrame(() => {
    made = table(place, run.evaluation.map((row) => ({ ...row, ...row.shares })), columns, open);
    made.on("tableBuilt", filter);
    tell();
  });
  return el("section", {}, el("h2", {}, "Evaluation"),
    el("p", { class: "hint" }, "fixed: more samples are correct at the end than at the start; broken: fewer."),
    el("div", { class: "filters" },
      choice("Change", any(["fixed", "broken", "unchanged"]), filters.change ?? "", set("change")),
      choice("Benchmark", any(benchmarks), filters.benchmark ?? "", set("benchmark")),
      choice("With verdict", any(verdicts), filters.verdict ?? "", set("verdict"))),
    count, place);
}

export function evaluatedView(problem) {
  return el("article", { class: "problem" },
    el("h2", {}, problem.id), el("p", { class: "facts" }, `${problem.benchmark} · ${problem.change}`),
    asked(problem),
    el("h3", {}, "Responses"),
    el("div", { class: "responses" }, problem.answered.map((each) => el("section", { class: "response" },
      el("h4", {}, each.checkpoint.replaceAll("_", " "), ` ${percent(each.share)} %`),
      each.responses.length > 0 ? each.responses.map((response) => [
        el("p", {}, badge(response.status), response.finish === "length" && " cut at the token limit"),
        prose(response.text), judged(problem, response),
      ]) : each.statuses.map((status, i) => el("p", {}, badge(status), " ", each.answers[i] ?? "")),
      each.responses.length === 0 && el("p", { class: "hint" }, "This run kept no texts of its evaluation.")))));
}
