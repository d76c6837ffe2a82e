"use strict";
// Sorts a table by the column whose heading's button was pressed; empty cells stay last.
function cellKey(row, column) {
  const cell = row.cells[column];
  const text = cell.dataset.sort ?? cell.textContent.trim();
  if (text === "") return null;
  return cell.dataset.sort === undefined ? text : Number(text);
}
function compareKeys(a, b) {
  return typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b), "en", { numeric: true });
}
for (const table of document.querySelectorAll("table.sortable")) {
  const headings = [...table.tHead.rows[0].cells];
  for (const [column, heading] of headings.entries()) {
    heading.querySelector("button")?.addEventListener("click", () => {
      const direction = heading.getAttribute("aria-sort") === "ascending" ? -1 : 1;
      for (const other of headings) other.removeAttribute("aria-sort");
      heading.setAttribute("aria-sort", direction === 1 ? "ascending" : "descending");
      const keyed = [...table.tBodies[0].rows].map((row) => [cellKey(row, column), row]);
      keyed.sort(([a], [b]) => (a === null || b === null ? (a === null) - (b === null) : direction * compareKeys(a, b)));
      table.tBodies[0].append(...keyed.map(([, row]) => row));
    });
  }
}
