"use strict";
// Every page: charts (plotly), tables that sort, rows that are filtered.
// Names and labels come from data: they reach the page through textContent only.

const $ = (id) => document.getElementById(id);
const read = (id) => ($(id) ? JSON.parse($(id).textContent) : null);
const unpack = (text, Type) => {
  const raw = atob(text), bytes = new Uint8Array(raw.length);
  for (let i = 0; i < raw.length; i++) bytes[i] = raw.charCodeAt(i);
  return new Type(bytes.buffer);
};
const shown = (value, digits = 3, sign = false) =>
  Number.isFinite(value) ? ((sign && value > 0 ? "+" : "") + value.toFixed(digits)).replace("-", "−") : "–";
const element = (tag, attributes = {}, text = "") => {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.textContent = text;
  return made;
};
const style = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

// ---------------------------------------------------------------- charts

// What plotly draws is written by Python, but for colours that follow light and dark, and values of voxels.
const escaped = (text) => text.replace(/[&<>]/g, (sign) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;" })[sign]);

function chartColours(layout) {
  const ink = style("--ink"), line = style("--line"), axis = { color: style("--muted"), gridcolor: line, zerolinecolor: line, linecolor: line };
  const out = { ...layout, paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", font: { color: ink, size: 12 } };
  for (const key of Object.keys(layout)) if (/^[xy]axis/.test(key)) out[key] = { ...axis, ...layout[key] };
  return out;
}

function voxelTraces(number) {
  const run = data.runs[number], { frozen, tuned } = run.values, traces = [];
  if (!frozen || !tuned) return traces;
  for (const [name, members] of Object.entries(run.groups)) {
    const rows = [];
    for (let row = 0; row < run.n; row++) if (members[row] && Number.isFinite(frozen[row]) && Number.isFinite(tuned[row])) rows.push(row);
    traces.push({
      type: "scattergl", mode: "markers", name: `${escaped(name.length > 30 ? `${name.slice(0, 29)}…` : name)} (${rows.length})`,
      x: Float32Array.from(rows, (row) => frozen[row]), y: Float32Array.from(rows, (row) => tuned[row]),
      text: rows.length > 20000 ? rows.map((row) => `voxel ${run.voxel[row]}`) : rows.map((row) => describe(run, row).map(escaped).join("<br>")),
      hoverinfo: "text", marker: { size: rows.length > 5000 ? 3 : 5, opacity: 0.6, color: run.colours[name] },
    });
  }
  return traces;
}

function drawChart(chart) {
  const spec = JSON.parse(chart.nextElementSibling.textContent), voxels = spec.layout.meta ? voxelTraces(spec.layout.meta.voxels) : [];
  chart.layoutAsked = spec.layout;
  Plotly.newPlot(chart, [...spec.data, ...voxels], chartColours(spec.layout), { displayModeBar: false, responsive: true })
    .then(() => { chart.dataset.ready = "yes"; });
}

// Charts are drawn when they come near the window, and those of voxels end when they leave it: browsers keep few
// WebGL drawings alive at once.
function startCharts() {
  const near = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) {
      if (isIntersecting && !target.dataset.ready) drawChart(target);
      if (!isIntersecting && target.dataset.ready && target.querySelector(".gl-canvas")) {
        Plotly.purge(target);
        delete target.dataset.ready;
      }
    }
  }, { rootMargin: "500px 0px" });
  for (const chart of document.querySelectorAll(".chart")) near.observe(chart);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    for (const chart of document.querySelectorAll(".chart[data-ready]")) Plotly.relayout(chart, chartColours(chart.layoutAsked));
  });
}

// ---------------------------------------------------------------- tables

const numberIn = (cell) => {
  const text = (cell?.textContent ?? "").trim().replace("−", "-").replace(/^[≤<]\s*/, "").replaceAll(",", "");
  return Number.parseFloat(text);
};

function sortable(table) {
  const heads = [...table.tHead.rows[table.tHead.rows.length - 1].cells];
  heads.forEach((head, column) => {
    if (head.hasAttribute("aria-hidden")) return;
    const button = element("button", { type: "button" }, head.textContent.trim());
    head.replaceChildren(button);
    button.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") !== "descending";
      for (const other of heads) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      for (const body of table.tBodies) {
        const rows = [...body.rows].filter((row) => !row.querySelector("[scope=rowgroup]"));
        const sign = down ? -1 : 1;
        rows.sort((a, b) => {
          const [x, y] = [a, b].map((row) => numberIn(row.cells[column]));
          if (Number.isNaN(x) && Number.isNaN(y)) return -sign * a.cells[column].textContent.localeCompare(b.cells[column].textContent);
          return Number.isNaN(x) ? 1 : Number.isNaN(y) ? -1 : sign * (x - y);
        });
        body.append(...rows);
      }
    });
  });
}

// Controls above a table that leave only the rows with all of some words, and with one verdict.
function filterable(controls) {
  const table = $(controls.dataset.filters), [words, verdict] = ["input", "select"].map((one) => controls.querySelector(one));
  const apply = () => {
    const wanted = words.value.toLowerCase().split(/\s+/).filter(Boolean);
    let kept = 0, all = 0;
    for (const body of table.tBodies) {
      const group = body.querySelector("[scope=rowgroup]")?.closest("tr"), title = group ? group.textContent : "";
      const rows = [...body.rows].filter((row) => row !== group);
      for (const row of rows) {
        const text = `${title} ${row.textContent}`.toLowerCase();
        row.hidden = !wanted.every((word) => text.includes(word)) || Boolean(verdict?.value && [...row.cells].at(-1).textContent.trim() !== verdict.value);
      }
      const left = rows.filter((row) => !row.hidden).length;
      if (group) group.hidden = !left;
      kept += left;
      all += rows.length;
    }
    controls.querySelector("output").textContent = `${kept} of ${all} rows`;
  };
  controls.addEventListener("input", apply);
  apply();
}

for (const table of document.querySelectorAll("table.sortable")) sortable(table);
for (const controls of document.querySelectorAll("[data-filters]")) filterable(controls);
addEventListener("beforeprint", () => {
  for (const one of document.querySelectorAll("details.figures")) one.open = true;
  for (const chart of document.querySelectorAll(".chart:not([data-ready])")) drawChart(chart);
});
addEventListener("DOMContentLoaded", () => {
  startCharts();
  document.documentElement.dataset.charts = performance.now().toFixed(0);
});
