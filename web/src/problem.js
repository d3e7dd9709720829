// One problem: what was asked, what came back, what became of it, and how its weights came about.
import { el, number } from "./dom.js";
import { code, prose } from "./prose.js";
import { shading, tokenText } from "./tokens.js";

/** Everything about a problem of a run. `mode` is how tokens are shaded. */
export function problemView(run, problem, mode, onmode) {
  return el("article", { class: "problem" },
    el("h2", {}, problem.id),
    el("p", { class: "facts" }, facts(problem)),
    problem.dropped.map((row) => el("p", { class: "note" }, `Dropped: ${row.reason}. ${row.detail}`)),
    problem.prompt && asked(problem),
    derivation(problem),
    problem.responses.length > 0 && [
      el("h3", {}, "Responses"),
      run.hasTokens && shading(run, mode, onmode),
      mode !== "plain" && !mode.startsWith(":") && el("p", { class: "hint" }, run.moved
        ? "Numbers are those under the reference. This round started from a policy that had moved from it, so ratios were not 1."
        : "Numbers are those of the first optimizer step, where the policy is the reference."),
      el("div", { class: "responses" }, problem.responses.map((response) => responseView(run, problem, response, mode))),
    ]);
}

/** The prompt with what decides an answer. */
export function asked(problem) {
  return el("section", {},
    el("h3", {}, "Prompt"), prose(problem.prompt),
    problem.choices?.length > 0 && el("ol", { type: "A" }, problem.choices.map((each) => el("li", {}, each))),
    problem.answer && el("p", {}, el("b", {}, "Gold answer: "), el("code", {}, problem.answer)),
    problem.rendered && el("details", {}, el("summary", {}, "As rendered"), el("pre", { tabindex: 0 }, problem.rendered)),
    problem.setup && el("details", {}, el("summary", {}, "Set-up"), code(problem.setup)),
    problem.tests && el("details", {}, el("summary", {}, "Tests"), code(problem.tests)));
}

function facts(problem) {
  const { group, posterior } = problem;
  return [
    problem.bucket && `bucket ${problem.bucket}`,
    group?.solvability !== null && group?.solvability !== undefined && `${group.correct} of ${group.unique} unique rollouts correct`,
    group?.undecided > 0 && `${group.undecided} undecided`,
    posterior && `posterior Beta(${number(posterior[0])}, ${number(posterior[1])}), mean ${number(posterior[0] / (posterior[0] + posterior[1]))}`,
    problem.loss !== null && `expert loss ${number(problem.loss)} nats a token`,
    problem.source,
  ].filter(Boolean).join(" · ");
}

function derivation(problem) {
  const d = problem.derivation;
  if (!d) return problem.group && el("p", {}, `Not rolled out: the expert alone, weight ${number(problem.group.expert_weight)}.`);
  const { correct, unique, incorrect_kept: wrong } = problem.group;
  const rows = [
    ["s", `correct / unique = ${correct} / ${unique}`, d.solvability],
    ["r_E", "r_min + (1 − s)(r_max − r_min)", d.expert_reward],
    ["A of the expert", `tanh(α z) over r_E, ${correct} × 1, ${wrong} × 0`, d.expert_advantage],
    ["A of a correct rollout", "the same", d.rollout_advantage],
    ["A of an incorrect one", "the same", d.incorrect_advantage],
    ["c", `1 / (1 + ${correct})`, d.share],
    ["expert weight", correct ? "A c" : "no correct rollout: 1", d.expert_weight],
    ["own weight, each", "coef × min(cap, max(floor, A c))", d.rollout_weight],
  ];
  return el("details", { open: true, class: "derivation" }, el("summary", {}, "Weights, step by step"),
    el("table", { class: "grid" }, el("tbody", {}, rows.filter(([, , value]) => value !== null).map(([name, how, value]) =>
      el("tr", {}, el("th", { scope: "row" }, name), el("td", {}, how), el("td", { class: "num" }, number(value, 4)))))));
}

function responseView(run, problem, response, mode) {
  const name = response.index < 0 ? "Expert" : `Rollout ${response.index}`;
  return el("section", { class: "response", "data-index": response.index },
    el("h4", {}, name, " ", badge(response.status), response.index >= 0 && el("span", { class: "fate" }, fate(response))),
    el("p", { class: "facts" }, [
      response.weight !== null && `weight ${number(response.weight)}`,
      response.steps.length > 0 && `trained in step ${response.steps.join(", ")}`,
      response.change !== null && `${response.change < 0 ? "−" : "+"}${number(Math.abs(response.change))} nats a token by training`,
      response.finish === "length" && "cut at the token limit",
    ].filter(Boolean).join(" · ")),
    mode !== "plain" && response.lengths ? tokenText(run, problem, response, mode) : prose(response.text),
    judged(problem, response));
}

const fate = (response) => response.fate.replaceAll("_", " ") + (response.like === null ? "" : ` of rollout ${response.like}`);

export const badge = (status) => status && el("span", { class: `badge ${status}` }, status.replaceAll("_", " "));

/** What the verifier says of a response. */
export function judged(problem, response) {
  if (!["answer", "detail", "stdout", "stderr"].some((name) => response[name])) return null;
  const isProgram = problem.verifier === "python";
  return el("div", { class: "judged" },
    response.answer && (isProgram
      ? el("details", {}, el("summary", {}, "The program that was run"), code(response.answer))
      : el("p", {}, el("b", {}, "Answer read: "), el("code", {}, response.answer), " against ", el("code", {}, problem.answer ?? "–"))),
    response.detail && el("p", {}, el("b", {}, "Reason: "), response.detail),
    response.stdout && el("details", {}, el("summary", {}, "Printed"), el("pre", { tabindex: 0 }, response.stdout)),
    response.stderr && el("details", {}, el("summary", {}, "Printed to stderr"), el("pre", { tabindex: 0 }, response.stderr)));
}
