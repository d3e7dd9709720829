// The training's curves; a click on a step shows the sequences it trained on.
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { el, number } from "./dom.js";

const SHOWN = { nll: "NLL, nats a token", loss: "loss", grad_norm: "gradient norm", mean_weight: "mean weight", mean_ratio: "mean ratio", reward: "reward", learning_rate: "learning rate" };
const FEW = 300; // sequences that are listed

export function trainingView(run, step, open, chosen) {
  if (run.curve.length === 0) return el("section", {}, el("h2", {}, "Training"), el("p", {}, "No optimizer step was taken."));
  const names = Object.keys(SHOWN).filter((name) => run.curve.some((row) => typeof row[name] === "number"));
  const places = names.map((name) => el("div", { class: "curve", "data-curve": name }));
  const list = el("div", { id: "step", "aria-live": "polite" });
  const choose = (value) => { list.replaceChildren(stepView(run, value, open)); chosen(value); };
  requestAnimationFrame(() => names.forEach((name, i) => curve(places[i], run.curve, name, choose)));
  if (step) list.replaceChildren(stepView(run, step, open));
  return el("section", {}, el("h2", {}, "Training"),
    el("p", { class: "hint" }, "Click a step, or choose one, for the sequences it trained on. Under RASFT the NLL may rise: a policy's own solutions have a low one, hard expert solutions a high one, and which of them a step holds is chance."),
    el("label", { class: "choice" }, "Step ", el("input", { type: "number", min: 1, max: run.curve.length, value: step ?? 1, onchange: (event) => choose(Number(event.target.value)) })),
    el("div", { class: "curves" }, places), list);
}

function stepView(run, step, open) {
  const taken = run.trained[step];
  const row = run.curve.find((each) => each.step === step);
  if (!row) return el("p", {}, `There is no step ${step}; the last one is ${run.curve.length}.`);
  const head = el("h3", {}, `Step ${step}: NLL ${number(row.nll ?? row.reward)}`);
  if (!taken) return el("div", {}, head, el("p", {}, "Which sequences it trained on is not stored."));
  return el("div", {}, head, el("ul", { class: "sequences" }, taken.slice(0, FEW).map(([at, index]) => {
    const problem = run.problems[at];
    return el("li", {}, el("a", { href: "#", onclick: (event) => { event.preventDefault(); open(problem); } }, problem.id), index < 0 ? ` expert, loss ${number(problem.loss)}, weight ${number(problem.weight)}` : ` rollout ${index}`);
  })), taken.length > FEW && el("p", {}, `${taken.length - FEW} more are not listed.`));
}

function curve(place, rows, name, choose) {
  const ink = getComputedStyle(document.documentElement).getPropertyValue("--ink").trim();
  const line = getComputedStyle(document.documentElement).getPropertyValue("--accent").trim();
  const faint = getComputedStyle(document.documentElement).getPropertyValue("--line").trim();
  const axis = { stroke: ink, grid: { stroke: faint, width: 1 }, ticks: { stroke: faint, width: 1 } };
  const plot = new uPlot({
    width: Math.max(260, place.clientWidth), height: 200, title: SHOWN[name],
    scales: { x: { time: false } }, legend: { show: false }, cursor: { points: { size: 8 } },
    axes: [{ ...axis, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000] }, { ...axis, size: 70, values: (_, ticks) => ticks.map((tick) => number(tick)) }],
    series: [{ label: "step" }, { label: SHOWN[name], stroke: line, width: 1.5, points: { show: rows.length < 60 } }],
  }, [rows.map((row) => row.step), rows.map((row) => row[name] ?? null)], place);
  plot.over.addEventListener("click", () => plot.cursor.idx !== null && choose(rows[plot.cursor.idx].step));
}
