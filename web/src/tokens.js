// A response with its tokens shaded: by what trains on them, by how probable they were or are, or by
// what training changed of that.
import { choice, el, number } from "./dom.js";

// as rasft/page/tokens.py packs them
const FIRST = 35;
const BASE = 56;
const STEPS = 10; // of shading
const LEAST = 1e-4; // weight that is still shaded
const SURPRISE = 5; // nats that are shaded in full
const CHANGE = 2; // nats of change that are shaded in full
const REFERENCE = ":logp", TRAINED = ":trained", CHANGED = ":change";

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

/** The tokens of a response: [text, level under the reference, under the trained model]; a level is
 *  null where it was not scored. */
export function tokensOf(response) {
  const characters = [...response.text];
  const before = response.logps ? levels(response.logps) : [];
  const after = response.trained ? levels(response.trained) : [];
  let end = 0;
  return lengths(response.lengths).map((length, i) => {
    const text = characters.slice(end, (end += length)).join("");
    return [text, before[i] ?? null, after[i] ?? null];
  });
}

/** The ways to shade: methods first, the run's own before the others. */
export function modes(run) {
  const others = Object.keys(run.methods).filter((name) => name !== run.method);
  const methods = [run.method, ...others].filter((name) => name in run.methods);
  return [
    ["plain", "plain text"],
    ...methods.map((name) => [name, `what ${name} trains on`]),
    [REFERENCE, "log-probability under the reference"],
    ...(run.rescored ? [[TRAINED, "log-probability after training"], [CHANGED, "what training changed"]] : []),
  ];
}

/** The control that chooses the shading, with its legend. */
export function shading(run, mode, onchange) {
  return el("div", { class: "shading" }, choice("Tokens:", modes(run), mode, onchange), legend(mode));
}

function legend(mode) {
  if (mode === "plain") return null;
  const swatches = (kind) => Array.from({ length: STEPS + 1 }, (_, step) => el("span", { class: `tok ${kind} s${step}` }, " "));
  if (mode === CHANGED)
    return el("span", { class: "legend" }, `−${CHANGE} nats or less `, swatches("surprise").reverse(), swatches("weight"), ` +${CHANGE} or more`);
  const isProbability = mode === REFERENCE || mode === TRAINED;
  const [kind, low, high] = isProbability ? ["surprise", "p = 1", "p ≤ 0.007"] : ["weight", "weight ≤ 0.0001", "1"];
  return el("span", { class: "legend" }, low, " ", swatches(kind), " ", high, " (log scale)");
}

/** The response's tokens, shaded; under it the numbers of the one pointed at. */
export function tokenText(run, problem, response, mode) {
  const view = mode.startsWith(":") ? probabilities(mode, response) : weights(run, problem, response, mode);
  const tokens = tokensOf(response);
  const readout = el("p", { class: "readout", "aria-live": "polite" }, view.told);
  const spans = tokens.map((token, at) => el("span", { class: `tok ${view.shade(token)}`, "data-at": at }, token[0]));
  const show = (at) => {
    spans.forEach((span, i) => span.classList.toggle("here", i === at));
    readout.textContent = `token ${at + 1} of ${tokens.length}, ${JSON.stringify(tokens[at][0])}: ${view.numbers(tokens[at])}`;
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

// A view of tokens: `told` of the response, the class that shades a token, and a token's numbers.

function weights(run, problem, response, method) {
  const weight = weightOf(run, problem, response, method), factors = run.methods[method].factors;
  const factor = (level) => factors[Math.min(level, factors.length - 1)];
  return {
    told: weight === null ? `${method} does not train on this response.` : `Sequence weight under ${method}: ${number(weight)}. Point at a token for its numbers.`,
    shade: ([, level]) => level === null ? "unscored" : `weight s${weightStep((weight ?? 0) * factor(level))}`,
    numbers: ([, level]) => level === null ? "not scored"
      : `${probability(level)}; weight ${number(weight ?? 0)} × factor ${number(factor(level))} = ${number((weight ?? 0) * factor(level))}`,
  };
}

function probabilities(mode, response) {
  const shades = { [REFERENCE]: ([, before]) => surprise(before), [TRAINED]: ([, , after]) => surprise(after), [CHANGED]: changed };
  const told = response.change === null ? (mode === REFERENCE ? "" : "This response was not scored after training. ")
    : `Training changed it by ${signed(response.change)} nats a token. `;
  return { told: `${told}Point at a token for its numbers.`, shade: shades[mode], numbers };
}

function numbers([, before, after]) {
  if (before === null) return "not scored";
  if (after === null) return probability(before);
  return `before: ${probability(before)}; after training: ${probability(after)}; change ${signed((before - after) / 100)} nats`;
}

const signed = (value) => (value < 0 ? "−" : "+") + Math.abs(value).toFixed(Math.abs(value) < 0.1 ? 3 : 2);
const probability = (level) => `log-probability −${(level / 100).toFixed(2)}, probability ${number(Math.exp(-level / 100))}`;

const surprise = (level) => level === null ? "unscored"
  : `surprise s${Math.round(STEPS * Math.min(1, Math.log1p(level / 10) / Math.log1p(SURPRISE * 10)))}`;

function changed([, before, after]) {
  if (before === null || after === null) return "unscored";
  const nats = (before - after) / 100;
  return `${nats < 0 ? "surprise" : "weight"} s${Math.round(STEPS * Math.min(1, Math.abs(nats) / CHANGE))}`;
}

function weightStep(value) {
  const share = value > 0 ? 1 - Math.log(Math.min(1, Math.max(LEAST, value))) / Math.log(LEAST) : 0;
  return Math.round(STEPS * share);
}
