// Charts as SVG, each with a switch to a table of the same numbers.

/** Creates an element of SVG. */
function svg(tag, attributes, ...children) {
  return append(dress(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes), children);
}

/** Returns the end of an axis that holds the value: an even number with zeros, if it is no power of ten. */
function roundTop(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  return value > 0 ? [1, 2, 4, 6, 8, 10].map((step) => step * power).find((end) => end >= value * 0.999999) : 1;
}

/** Shortens a great number for an axis: `400 k`, `2 M`; null for those that are short. */
function brief(number) {
  const power = number < 1e5 ? 0 : Math.min(5, Math.floor(Math.log10(number) / 3));
  return power ? `${Number((number / 1000 ** power).toPrecision(3))} ${" kMGTP"[power]}` : null;
}

/**
 * Draws stacked columns, or lines: `labels` are their names, `series` are `{ name, kind, values }`, `format(number)` writes a value, of which
 * `sign` is the sign before its digits, and `onpick(index)` is called for a column that is clicked. `tick` are the ends of the part of a label below it.
 */
function drawColumns(picture, { labels, series, format, sign = "", onpick, isLines, tick = [-5] }) {
  const [width, height] = [Math.max(200, picture.clientWidth), picture.clientHeight];
  const [top, depth] = [8, height - 28];
  const sums = labels.map((_, index) => series.reduce((sum, { values }) => (isLines ? Math.max(sum, values[index]) : sum + values[index]), 0));
  const end = roundTop(Math.max(...sums));
  const y = (value) => top + depth * (1 - value / end);
  const mark = (value) => (brief(value) ? sign + brief(value) : format(value));
  const marked = [0, end / 2, end].filter((value) => format(value) !== format(end) || value === end);
  const marks = marked.map((value) => svg("text", { y: y(value) + 4, "text-anchor": "end" }, mark(value)));
  fill(picture, marks);
  const left = Math.max(52, ...marks.map((text) => Math.ceil(text.getComputedTextLength()) + 8));
  for (const text of marks) text.setAttribute("x", left - 6);
  const inner = width - left - 4;
  const lines = marked.map((value) => svg("line", { x1: left, x2: left + inner, y1: y(value), y2: y(value) }));
  const step = inner / labels.length;
  const gap = step > 6 ? 2 : step > 3 ? 1 : 0;
  const rect = (index, kind, from, to) => svg("rect", { class: kind, x: left + index * step + gap / 2, y: y(to), width: Math.max(0.5, step - gap), height: Math.max(0.5, y(from) - y(to)) });
  const middle = (index) => left + (index + 0.5) * step;
  // A line through the values that are known; one alone is a dot.
  const path = ({ kind, values }) => svg("path", { class: kind, d: values.map((value, index) => (value == null ? "" : `${values[index - 1] == null ? "M" : "L"}${middle(index)} ${y(value)}h0`)).join("") });
  const columns = labels.map((label, index) => {
    const parts = series.filter((one) => one.values[index]);
    let base = 0;
    const told = [label, ...parts.map((one) => `${one.name}: ${format(one.values[index])}`)].join("\n");
    const rects = parts.map((one) => !isLines && rect(index, one.kind, base, (base += one.values[index])));
    return svg("g", { onclick: () => onpick(index) }, svg("title", {}, told), rect(index, "space", 0, end), rects);
  });
  const every = Math.ceil(labels.length / Math.max(1, Math.floor(inner / 76)));
  const isNamed = (index) => (labels.length - 1 - index) % every === 0;
  const name = (label, index) => svg("text", { x: left + (index + 1) * step, y: height - 5, "text-anchor": "end" }, label.slice(...tick));
  picture.setAttribute("viewBox", `0 0 ${width} ${height}`);
  fill(picture, lines, marks, isLines && series.map(path), columns, labels.map((label, index) => isNamed(index) && name(label, index)));
}

/** Creates a chart's place, and the button that shows a table. */
function chartPlace() {
  let [isTable, chart] = [false, null];
  const place = h("div.chart");
  const button = h("button", { "aria-pressed": "false", onclick: () => show(chart, !isTable) }, "Table");
  const picture = svg("svg", { role: "img" });
  const observer = new ResizeObserver(() => chart && picture.isConnected && drawColumns(picture, chart));
  observer.observe(picture);
  function show(next, asTable = isTable) {
    [chart, isTable] = [next, asTable];
    button.setAttribute("aria-pressed", isTable);
    if (!chart) return;
    const { title, labels, series, format } = chart;
    if (isTable) {
      const columns = series.map((one) => [one.name, (index) => format(one.values[index]), "n"]);
      fill(place, table([["", (index) => labels[index], "name"], ...columns], [...labels.keys()], { caption: title }));
      return;
    }
    picture.setAttribute("aria-label", `${title}. The button Table shows the numbers.`);
    if (!picture.isConnected) fill(place, h("figure", picture, h("ul.legend")));
    fill(place.querySelector("ul"), series.map((one) => h("li", h(`i.${one.kind}`), one.name)));
    drawColumns(picture, chart);
  }
  return { place, button, show, stop: () => observer.disconnect() };
}

// Hues that can be told apart, also by eyes that do not tell red from green.
const KINDS = ["c0", "c1", "c2", "c3", "c4"];
const OUTCOMES = ["c0", "others", "c1", "failed"];

/** Returns the chart of one measure of a timeline; a click on a column opens its requests, which have these parameters. */
function timelineChart({ step, times, series }, measure, title, params) {
  const isLines = /duration|byte/.test(measure);
  const name = (seconds) => day(seconds * 1000) + (step === "day" ? "" : ` ${timeClock.format(seconds * 1000).slice(0, 5)}`);
  const kindOf = (index) => (measure === "outcome" ? OUTCOMES[index] : isLines ? KINDS[index >> 1] + (index % 2 ? "" : " p50") : (KINDS[index] ?? "others"));
  const onpick = (index) => {
    const [from, end] = [times[index], times[index + 1] ?? times[index] + (step === "hour" ? 3600 : 60)];
    const range = step === "day" ? { from: day(from * 1000), to: day(from * 1000) } : { from: new Date(from * 1000).toISOString(), to: new Date(end * 1000).toISOString() };
    go("requests", { ...params, ...range });
  };
  return {
    title: `${title} by ${step}`,
    labels: times.map(name),
    series: series.filter((one) => one.measure === measure).map((one, index) => ({ ...one, kind: kindOf(index) })),
    format: isLines ? duration : measure === "cost" ? dollars : count,
    sign: measure === "cost" ? "$" : "",
    tick: step === "hour" ? [5, 16] : [-5],
    isLines,
    onpick,
  };
}
