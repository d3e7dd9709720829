// What is shown follows from a small state, which is also the address: #view?key=value.
import { compareView } from "./compare.js";
import { openIndex, openRow } from "./data.js";
import { el } from "./dom.js";
import { evaluatedView, evaluationView } from "./evaluation.js";
import { overview } from "./overview.js";
import { problemView } from "./problem.js";
import { problemsView } from "./problems.js";
import "./style.css";
import { trainingView } from "./training.js";

const TABS = { overview: "Overview", problems: "Problems", evaluation: "Evaluation", training: "Training", compare: "Two runs" };
const view = document.getElementById("view");
const head = document.getElementById("head");
let index = null; // until it is opened
let state = read();
const trail = []; // the states before, where the browser keeps none

/** Show another state; `step` false replaces the address instead of adding to the history. */
function go(next, step = true) {
  const before = state;
  state = next;
  if (!remember(step) && step) trail.push(before);
  draw();
}

function back() {
  if (trail.length === 0) { history.back(); return; }
  state = trail.pop();
  draw();
}

/** Put the state into the address; false inside a card, where there is none to keep. */
function remember(step) {
  try {
    history[step ? "pushState" : "replaceState"](null, "", addressOf(state));
    return true;
  } catch {
    return false;
  }
}

function addressOf({ view: name, ...rest }) {
  const given = Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== "" && value !== undefined));
  return `#${name}?${new URLSearchParams(given)}`;
}

/** Opens what a row leads to, and knows its address: a link may be copied, or opened in another tab. */
function opener(stateOf) {
  return Object.assign((row) => go(stateOf(row)), { address: (row) => addressOf(stateOf(row)) });
}

function read() {
  const [name, rest] = location.hash.slice(1).split("?");
  return { view: name in TABS || name === "problem" || name === "evaluated" ? name : "overview", ...Object.fromEntries(new URLSearchParams(rest ?? "")) };
}

async function draw() {
  const number = Number(state.run ?? 0) in index.runs ? Number(state.run ?? 0) : 0;
  const run = index.runs[number];
  drawHead(number);
  const keep = (filters) => { state = { view: state.view, run: state.run, ...filters }; remember(false); };
  const { view: name, run: _, ...filters } = state;
  const open = opener((row) => ({ view: "problem", run: state.run, id: row.id }));
  const made = {
    overview: () => overview(run, (wanted) => go({ view: "problems", run: state.run, ...wanted })),
    problems: () => problemsView(run, filters, open, keep),
    problem: () => drawProblem(number),
    evaluation: () => evaluationView(run, filters, opener((row) => ({ view: "evaluated", run: state.run, id: row.id, benchmark: row.benchmark })), keep),
    evaluated: () => drawEvaluated(run, number),
    training: () => trainingView(run, Number(filters.step) || null, open, (step) => keep({ step })),
    compare: () => compareView(index, opener((row) => ({ view: "problem", id: row.id, both: "1" }))),
  }[name];
  const asked = state;
  const shown = await made();
  if (asked.view === state.view && asked.id === state.id) view.replaceChildren(shown);
}

function drawHead(number) {
  const tab = (name) => el("button", { type: "button", class: "tab", "aria-current": state.view === name ? "page" : null, onclick: () => go({ view: name, run: state.run }) }, TABS[name]);
  const names = Object.keys(TABS).filter((name) => name !== "compare" || index.runs.length > 1);
  const runs = index.runs.map((run, i) => el("button", { type: "button", class: "run", "aria-pressed": String(i === number), onclick: () => go({ ...state, run: String(i) }) }, run.id));
  head.replaceChildren(
    el("h1", {}, index.runs.length > 1 ? runs : `${index.runs[0].id} · ${index.runs[0].name} · ${index.runs[0].method}`),
    el("nav", { "aria-label": "views" }, names.map(tab)));
}

async function drawProblem(number) {
  const numbers = state.both ? index.runs.map((_, i) => i) : [number];
  const redraw = (mode) => go({ ...state, mode }, false);
  const parts = await Promise.all(numbers.map(async (each) => {
    const run = index.runs[each];
    const row = run.problems.find((found) => found.id === state.id);
    const problem = row && (await openRow(each, row.place));
    const shown = problem ? problemView(run, problem, state.mode ?? "plain", redraw) : missing(run, row);
    return numbers.length > 1 ? el("div", { class: "side" }, el("h2", { class: "which" }, run.id), shown) : shown;
  }));
  return el("div", {}, steps(number), el("div", { class: numbers.length > 1 ? "sides" : "" }, parts));
}

function missing(run, row) {
  if (!row) return el("p", {}, `${run.id} has no problem ${state.id}.`);
  return el("p", {}, `This page has not the texts of every problem. To read this one: rasft show ${run.id} --problem ${row.id}`);
}

/** Back to the table, and to the problems beside this one. */
function steps(number) {
  const rows = index.runs[number].problems;
  const at = rows.findIndex((row) => row.id === state.id);
  const to = (other) => other && go({ ...state, id: other.id }, false);
  return el("p", { class: "steps" },
    el("button", { type: "button", onclick: back }, "back"),
    el("button", { type: "button", disabled: at <= 0, onclick: () => to(rows[at - 1]) }, "previous"),
    el("button", { type: "button", disabled: at < 0 || at + 1 >= rows.length, onclick: () => to(rows[at + 1]) }, "next"));
}

async function drawEvaluated(run, number) {
  const row = run.evaluation.find((each) => each.id === state.id && each.benchmark === state.benchmark);
  const problem = row && (await openRow(number, row.place));
  return el("div", {}, el("p", { class: "steps" }, el("button", { type: "button", onclick: back }, "back")),
    problem ? evaluatedView(problem) : missing(run, row));
}

addEventListener("popstate", () => { state = read(); draw(); });
openIndex().then((found) => { index = found; draw(); });
