// A `data_visualization` block as a small SVG: bars, and lines for every other kind.

import { el } from "./dom.js";

const COLOURS = ["#d1432a", "#5b7fa6", "#7aa65b", "#af8fd6", "#d99000", "#8e8e93"];
const WIDTH = 520, HEIGHT = 180, LEFT = 44, BOTTOM = 24;

function svg(name, attributes, ...children) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...children);
  return node;
}

export function chart(block) {
  const data = block.chart ?? block;
  const series = (data.series ?? []).map((s) => ({ name: s.name, values: valuesOf(s) }));
  const labels = data.categories ?? data.axis_config?.categories ?? labelsOf(data.series?.[0]);
  const top = Math.max(1e-9, ...series.flatMap((s) => s.values));
  const drawn = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: "chart", role: "img", "aria-label": String(block.title?.text ?? block.title ?? data.title ?? "chart") });
  drawn.append(...axes(labels, top));
  const bars = (data.type ?? data.chart_type) === "bar";
  series.forEach((one, at) => drawn.append(...(bars ? bar(one, at, series.length, top) : line(one, at, top))));
  const legend = series.map((one, at) => {
    const mark = el("i");
    mark.style.background = COLOURS[at % COLOURS.length];
    return el("span", {}, mark, one.name ?? "");
  });
  const title = block.title?.text ?? block.title ?? data.title ?? "";
  const unit = data.axis_config?.y_label ? `, ${data.axis_config.y_label}` : "";
  return el("div", { class: "visualization" }, el("div", {}, el("strong", {}, title), unit), drawn, el("div", { class: "legend" }, legend));
}

function valuesOf(series) {
  return (series.values ?? series.data ?? series.data_points ?? [])
    .map((point) => Number(typeof point === "object" ? point.value ?? point.y : point) || 0);
}

function labelsOf(series) {
  return (series?.data ?? series?.data_points ?? []).map((point) => point.label ?? point.x ?? "");
}

function place(at, count) {
  return LEFT + (at + 0.5) * (WIDTH - LEFT - 8) / Math.max(1, count);
}

function height(value, top) {
  return (HEIGHT - BOTTOM) - (value / top) * (HEIGHT - BOTTOM - 12);
}

function axes(labels, top) {
  const rules = [0, 0.5, 1].flatMap((share) => {
    const y = height(share * top, top);
    return [
      svg("line", { x1: LEFT, x2: WIDTH, y1: y, y2: y, stroke: share ? "var(--line)" : "var(--edge)" }),
      svg("text", { x: LEFT - 6, y: y + 3, "font-size": 10, "text-anchor": "end", fill: "var(--soft)" },
        Number((share * top).toPrecision(3))),
    ];
  });
  // Labels are left out where they would run into each other.
  const every = Math.ceil(labels.length / 10);
  const names = labels.map((label, at) => (at % every ? "" : svg("text", {
    x: place(at, labels.length), y: HEIGHT - 8, "font-size": 10, "text-anchor": "middle", fill: "var(--soft)",
  }, String(label).slice(0, 10))));
  return [...rules, ...names];
}

function bar(series, at, count, top) {
  const slot = (WIDTH - LEFT - 8) / Math.max(1, series.values.length);
  const width = Math.min(36, (0.8 * slot) / count);
  return series.values.map((value, n) => svg("rect", {
    x: place(n, series.values.length) + (at - count / 2) * width, width,
    y: height(value, top), height: HEIGHT - BOTTOM - height(value, top), fill: COLOURS[at % COLOURS.length],
  }));
}

function line(series, at, top) {
  const colour = COLOURS[at % COLOURS.length];
  const points = series.values.map((value, n) => [place(n, series.values.length), height(value, top)]);
  return [
    svg("polyline", { points: points.join(" "), fill: "none", stroke: colour, "stroke-width": 2 }),
    ...points.map(([cx, cy]) => svg("circle", { cx, cy, r: 3, fill: colour })),
  ];
}
