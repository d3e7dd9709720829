// A table to sort and filter, whose rows open something.
import { FilterModule, FormatModule, InteractionModule, ResizeTableModule, SortModule, Tabulator } from "tabulator-tables";
import "tabulator-tables/dist/css/tabulator_simple.css";
import { el } from "./dom.js";

Tabulator.registerModule([FilterModule, FormatModule, InteractionModule, ResizeTableModule, SortModule]);

/** A column; `show` makes a node or text of a row. */
export function column(title, field, { show, width, numeric = false, grow = 0, least = 60 } = {}) {
  return {
    title, field, width, widthGrow: grow, minWidth: least,
    headerSortStartingDir: numeric ? "desc" : "asc",
    sorter: numeric ? (a, b) => (a ?? -1) - (b ?? -1) : (a, b) => String(a ?? "").localeCompare(String(b ?? ""), undefined, { numeric: true }),
    hozAlign: numeric ? "right" : "left",
    formatter: (cell) => el("span", {}, (show ? show(cell.getData()) : cell.getValue()) ?? "–"),
  };
}

/** The table in a place of the document; `open` gets the row that is clicked, and tells its address. */
export function table(place, rows, columns, open) {
  const [first, ...rest] = columns;
  const link = (cell) => el("a", { href: open.address(cell.getData()), class: "open", onclick: (event) => event.preventDefault() }, String(cell.getValue()));
  const made = new Tabulator(place, {
    data: rows, columns: [{ ...first, formatter: link }, ...rest],
    layout: "fitColumns", height: "70vh", placeholder: "No row is like this.",
    columnDefaults: { headerHozAlign: "left" },
  });
  made.on("rowClick", (_, row) => open(row.getData()));
  return made;
}
