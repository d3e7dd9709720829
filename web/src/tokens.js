// A response with its tokens shaded: by what trains on them, or by how probable they were.
import { choice, el, number } from "./dom.js";

// as rasft/page/tokens.py packs them
const FIRST = 35;
const BASE = 56;
const STEPS = 10; // of shading
const LEAST = 1e-4; // weight that is still shaded
const SURPRISE = 5; // nats that are shaded in full

/** The lengths of the pieces, in characters. */
export function lengths(packed) {
  const found = [];
  let sum = 0;
  for (let i = 0; i < packed.length; i++) {
    const value = packed.charCodeAt(i) - FIRST;
    sum += value;
    if (value < BASE - 1) { found.push(sum); sum = 0; }
  }
  return found;
}

/** The log-probabilities' levels, hundredths of a nat below 0. */
export function levels(packed) {
  const found = [];
  for (let i = 0; i < packed.length; i += 2)
    found.push((packed.charCodeAt(i) - FIRST) * BASE + packed.charCodeAt(i + 1) - FIRST);
  return found;
}

/** The tokens of a response: [text, level]; level null where it was not scored. */
export function tokensOf(response) {
  const characters = [...response.text];
  const scores = response.logps ? levels(response.logps) : [];
  let end = 0;
  return lengths(response.lengths).map((length, i) => {
    const text = characters.slice(end, (end += length)).join("");
    return [text, scores[i] ?? null];
  });
}

/** The ways to shade: methods first, the run's own before the others. */
export function modes(run) {
  const others = Object.keys(run.methods).filter((name) => name !== run.method);
  const methods = [run.method, ...others].filter((name) => name in run.methods);
  return [
    ["plain", "plain text"],
    ...methods.map((name) => [name, `what ${name} trains on`]),
    [":logp", "log-probability"],
  ];
}

/** The control that chooses the shading, with its legend. */
export function shading(run, mode, onchange) {
  return el("div", { class: "shading" }, choice("Tokens:", modes(run), mode, onchange), legend(mode));
}

function legend(mode) {
  if (mode === "plain") return null;
  const [low, high] = mode === ":logp" ? ["p = 1", "p ≤ 0.007"] : ["weight ≤ 0.0001", "1"];
  const kind = mode === ":logp" ? "surprise" : "weight";
  const swatches = Array.from({ length: STEPS + 1 }, (_, step) => el("span", { class: `tok ${kind} s${step}` }, " "));
  return el("span", { class: "legend" }, low, " ", swatches, " ", high, " (log scale)");
}

/** The response's tokens, shaded; under it the numbers of the one pointed at. */
export function tokenText(run, problem, response, mode) {
  const weight = mode === ":logp" ? null : weightOf(run, problem, response, mode);
  const factors = run.methods[mode]?.factors;
  const tokens = tokensOf(response);
  const readout = el("p", { class: "readout", "aria-live": "polite" }, told(mode, weight));
  const spans = tokens.map(([text, level], at) => el("span", { class: `tok ${shade(mode, level, weight, factors)}`, "data-at": at }, text));
  const show = (at) => {
    const [text, level] = tokens[at];
    spans.forEach((span, i) => span.classList.toggle("here", i === at));
    readout.textContent = `token ${at + 1} of ${tokens.length}, ${JSON.stringify(text)}: ${numbers(mode, level, weight, factors)}`;
  };
  return el("div", {}, el("div", { class: "prose tokens", tabindex: 0, onkeydown: walker(tokens.length, show),
    "aria-label": "tokens; the arrow keys go from one to the next",
    onmouseover: (event) => event.target.dataset.at && show(Number(event.target.dataset.at)) }, spans), readout);
}

function walker(count, show) {
  let at = -1;
  return (event) => {
    const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!by) return;
    event.preventDefault();
    at = Math.min(count - 1, Math.max(0, at + by));
    show(at);
  };
}

/** The weight of a sequence under a method; null where the method does not train on it. */
export function weightOf(run, problem, response, method) {
  const kind = run.methods[method]?.examples;
  const found = (problem.kinds[kind] ?? []).find(([index]) => index === response.index);
  return found ? found[1] : null;
}

function told(mode, weight) {
  if (mode === ":logp") return "Point at a token for its numbers.";
  return weight === null ? `${mode} does not train on this response.` : `Sequence weight under ${mode}: ${number(weight)}. Point at a token for its numbers.`;
}

const tokenWeight = (level, weight, factors) => (weight ?? 0) * factors[Math.min(level, factors.length - 1)];

function shade(mode, level, weight, factors) {
  if (level === null) return "unscored";
  if (mode === ":logp") return `surprise s${Math.round(STEPS * Math.min(1, Math.log1p(level / 10) / Math.log1p(SURPRISE * 10)))}`;
  const value = tokenWeight(level, weight, factors);
  const share = value > 0 ? 1 - Math.log(Math.min(1, Math.max(LEAST, value))) / Math.log(LEAST) : 0;
  return `weight s${Math.round(STEPS * share)}`;
}

function numbers(mode, level, weight, factors) {
  if (level === null) return "not scored";
  const logp = `log-probability −${(level / 100).toFixed(2)}, probability ${number(Math.exp(-level / 100))}`;
  if (mode === ":logp") return logp;
  return `${logp}; weight ${number(weight ?? 0)} × factor ${number(factors[Math.min(level, factors.length - 1)])} = ${number(tokenWeight(level, weight, factors))}`;
}
