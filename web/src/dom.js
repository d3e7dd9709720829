// Elements from values. Text is always text: nothing here reads markup.

/** An element; `props` are attributes, `on…` handlers and `style` values; children are nodes or text. */
export function el(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "style") for (const [key, v] of Object.entries(value)) node.style.setProperty(key, v);
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

/** A table from rows of cells; a cell is a node or text. */
export function grid(header, rows, props = {}) {
  return el("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": props.label ?? "table" },
    el("table", { class: "grid" },
      el("thead", {}, el("tr", {}, header.map((cell) => el("th", { scope: "col" }, cell)))),
      el("tbody", {}, rows.map((row) => el("tr", {}, row.map((cell) => el("td", {}, cell ?? "–")))))));
}

/** A labelled choice among options, [value, text] each. */
export function choice(label, options, value, onchange) {
  const select = el("select", { onchange: (event) => onchange(event.target.value) },
    options.map(([key, text]) => el("option", { value: key, selected: key === value }, text)));
  return el("label", { class: "choice" }, label, " ", select);
}

export const number = (value, digits = 3) =>
  value === null || value === undefined ? "–" : Number(value.toPrecision(digits)).toString();

// One decimal, as the report writes it: a tie goes to the even digit.
export const tenths = (value) => {
  const rounded = Math.round(10 * value);
  return ((rounded - 10 * value === 0.5 && rounded % 2 ? rounded - 1 : rounded) / 10).toFixed(1);
};
export const percent = (value) => tenths(100 * value);
