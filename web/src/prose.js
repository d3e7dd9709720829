// A model's text with its formulas typeset and its code coloured. Everything else stays as written.
import hljs from "highlight.js/lib/core";
import python from "highlight.js/lib/languages/python";
import katex from "katex";
import "katex/dist/katex.css";
import { el } from "./dom.js";

hljs.registerLanguage("python", python);

const PARTS = /```(\w*)\n([\s\S]*?)(?:```|$)|\$\$([\s\S]+?)\$\$|\\\[([\s\S]+?)\\\]|\\\(([\s\S]+?)\\\)|\$([^\s$](?:[^$\n]*[^\s$\\])?)\$(?!\d)|(\\boxed\{(?:[^{}]|\{(?:[^{}]|\{[^{}]*\})*\})*\})/g;

/** Nodes for a text. */
export function prose(text) {
  const nodes = [];
  let end = 0;
  for (const found of text.matchAll(PARTS)) {
    nodes.push(text.slice(end, found.index));
    const [, , program, shown, bracketed, inline, dollars, boxed] = found;
    if (program !== undefined) nodes.push(code(program));
    else nodes.push(formula(found[0], shown ?? bracketed ?? inline ?? dollars ?? boxed, (shown ?? bracketed) !== undefined));
    end = found.index + found[0].length;
  }
  nodes.push(text.slice(end));
  return el("div", { class: "prose" }, nodes);
}

function formula(source, tex, displayMode) {
  const place = el("span", { title: source });
  try {
    katex.render(tex, place, { displayMode, trust: false, strict: "ignore", maxExpand: 200, maxSize: 20 });
  } catch {
    place.replaceChildren(source); // not what it looked like
  }
  return place;
}

/** A coloured program; the highlighter's tree is taken, not its markup. */
export function code(text) {
  return el("pre", { class: "code", tabindex: 0 }, el("code", {}, walk(hljs.highlight(text, { language: "python" })._emitter.rootNode)));
}

function walk(node) {
  return node.children.map((child) =>
    typeof child === "string" ? child : el("span", { class: `hl-${(child.scope ?? "").split(".")[0]}` }, walk(child)));
}
