// Cells get the heading of their column, which pages.css shows on small screens, where tables stack.
document.addEventListener("DOMContentLoaded", () => {
  for (const table of document.querySelectorAll(".bd-article table")) {
    const heads = [...table.querySelectorAll("thead th")].map((cell) => cell.textContent.trim());
    for (const row of heads.length ? table.querySelectorAll("tbody tr") : []) {
      [...row.cells].forEach((cell, i) => {
        if (i && heads[i]) cell.dataset.label = heads[i];
      });
    }
  }
});
