"use strict";
/* Filters and sorts the table of endpoints. Text is set as text: nothing in it can become an element. */
(() => {
  const rows = JSON.parse(document.getElementById("endpoint-data").textContent);
  const body = document.getElementById("endpoint-rows");
  const filter = document.getElementById("endpoint-filter");
  const risk = document.getElementById("risk-filter");
  const count = document.getElementById("endpoint-count");
  const more = document.getElementById("endpoint-more");
  const heads = [...document.querySelectorAll("#endpoints-table th button")];
  const STEP = 100;
  let shown = STEP, key = 0, falling = true;
  const texts = rows.map((row) => row.slice(1).join(" ").toLowerCase());

  function compare(a, b) {
    const x = rows[a][key], y = rows[b][key];
    const order = typeof x === "number" ? x - y : String(x).localeCompare(String(y), undefined, { numeric: true });
    return (falling ? -order : order) || a - b;
  }

  function draw() {
    const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    const found = [];
    for (let k = 0; k < rows.length; k++) {
      if (rows[k][0] >= Number(risk.value) && words.every((word) => texts[k].includes(word))) found.push(k);
    }
    found.sort(compare);
    const lines = found.slice(0, shown).map((k) => {
      const line = document.createElement("tr");
      rows[k].forEach((value, column) => {
        const cell = document.createElement("td");
        cell.textContent = value;
        if (typeof value === "number") cell.className = "number";
        if (column === 0) cell.classList.add(value >= 7 ? "high" : value >= 4 ? "medium" : "low");
        line.append(cell);
      });
      return line;
    });
    body.replaceChildren(...lines);
    count.textContent = `${Math.min(shown, found.length)} of ${found.length} endpoints`;
    more.hidden = found.length <= shown;
  }

  filter.addEventListener("input", () => { shown = STEP; draw(); });
  risk.addEventListener("change", () => { shown = STEP; draw(); });
  more.addEventListener("click", () => { shown += STEP; draw(); });
  heads.forEach((head, column) => head.addEventListener("click", () => {
    falling = key === column ? !falling : typeof (rows[0] || [])[column] === "number";
    key = column;
    heads.forEach((other) => other.closest("th").removeAttribute("aria-sort"));
    head.closest("th").setAttribute("aria-sort", falling ? "descending" : "ascending");
    draw();
  }));
  /* On paper nothing can be opened: what is folded stands there open, and is folded again. */
  let folded = [];
  addEventListener("beforeprint", () => {
    folded = [...document.querySelectorAll("details:not([open])")];
    folded.forEach((one) => { one.open = true; });
  });
  addEventListener("afterprint", () => { folded.forEach((one) => { one.open = false; }); });
  document.getElementById("endpoint-tools").hidden = false;
  draw();
})();
