// Charts as SVG, each with a switch to a table of the same numbers.

/** Creates an element of SVG. */
function svg(tag, attributes, ...children) {
  return append(dress(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes), children);
}

/** Returns the end of an axis that holds the value: an even number with zeros, if it is no power of ten; of milliseconds a round time. */
function roundTop(value, isTime) {
  if (isTime && value > 6e4) return Math.min(LONGEST, 6e4 * roundTop(value / 6e4));
  const power = 10 ** Math.floor(Math.log10(value));
  return value > 0 ? [1, 2, 4, 6, 8, 10].map((step) => step * power).find((end) => end >= value * 0.999999) : 1;
}

/** Writes milliseconds for an axis: `400 ms`, `1.5 s`, `2 min`, `> 3 min`. */
function briefTime(value) {
  if (value >= LONGEST) return summedTime(value);
  const [unit, name] = value < 1e3 ? [1, "ms"] : value <= 6e4 ? [1e3, "s"] : [6e4, "min"];
  return `${Number((value / unit).toPrecision(3))} ${name}`;
}

/** Shortens a great number for an axis: `400 k`, `2 M`; null for those that are short. */
function brief(number) {
  const power = number < 1e5 ? 0 : Math.min(5, Math.floor(Math.log10(number) / 3));
  return power ? `${Number((number / 1000 ** power).toPrecision(3))} ${" kMGTP"[power]}` : null;
}

/**
 * Draws stacked columns, or lines: `labels` are their names, `series` are `{ name, kind, values }`, `format(number)` writes a value, of which
 * `sign` is the sign before its digits, and `onpick(index)` is called for a column that is clicked. `ticks(most)` returns at most so many texts below columns, by index.
 */
function drawColumns(picture, { labels, series, format, sign = "", onpick, isLines, ticks }) {
  const [width, height] = [Math.max(200, picture.clientWidth), picture.clientHeight];
  const [top, depth] = [8, height - 28];
  const sums = labels.map((_, index) => series.reduce((sum, { values }) => (isLines ? Math.max(sum, values[index]) : sum + values[index]), 0));
  const end = roundTop(Math.max(...sums), isLines);
  const y = (value) => top + depth * (1 - value / end);
  const mark = (value) => (isLines ? briefTime(value) : brief(value) ? sign + brief(value) : format(value));
  const marked = [0, end / 2, end].filter((value) => format(value) !== format(end) || value === end);
  const marks = marked.map((value) => svg("text", { y: y(value) + 4, "text-anchor": "end" }, mark(value)));
  fill(picture, marks);
  const left = Math.max(52, ...marks.map((text) => Math.ceil(text.getComputedTextLength()) + 8));
  for (const text of marks) text.setAttribute("x", left - 6);
  const inner = width - left - 4;
  const lines = marked.map((value) => svg("line", { x1: left, x2: left + inner, y1: y(value), y2: y(value) }));
  const step = inner / labels.length;
  const gap = step > 6 ? 2 : step > 3 ? 1 : 0;
  const rect = (index, kind, from, to) => svg("rect", { class: kind, x: left + index * step + gap / 2, y: y(to), width: Math.max(0.5, step - gap), height: Math.max(kind === "space" ? 0 : 2, y(from) - y(to)) });
  const middle = (index) => left + (index + 0.5) * step;
  // A line through the values that are known, of which those without neighbours are dots.
  const path = ({ kind, values }) => svg("path", { class: kind, d: values.map((value, index) => (value == null ? "" : `${values[index - 1] == null ? "M" : "L"}${middle(index)} ${y(value)}h0`)).join("") });
  const isAlone = (values, index) => values[index] != null && values[index - 1] == null && values[index + 1] == null;
  const dots = ({ kind, values }) => values.map((value, index) => isAlone(values, index) && svg("circle", { class: kind, cx: middle(index), cy: y(value), r: 3 }));
  const columns = labels.map((label, index) => {
    const parts = series.filter((one) => one.values[index]);
    let base = 0;
    const told = [label, ...parts.map((one) => `${one.name}: ${format(one.values[index])}`)].join("\n");
    const rects = parts.map((one) => !isLines && rect(index, one.kind, base, (base += one.values[index])));
    return svg("g", { onclick: () => onpick(index) }, svg("title", {}, told), rect(index, "space", 0, end), rects);
  });
  const names = [...ticks(Math.max(2, Math.floor(inner / 64)))].map(([index, text]) => svg("text", { x: Math.min(left + inner - 18, left + index * step), y: height - 5, "text-anchor": "middle" }, text));
  picture.setAttribute("viewBox", `0 0 ${width} ${height}`);
  fill(picture, lines, marks, isLines && series.map((one) => [path(one), dots(one)]), columns, names);
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
function timelineChart({ step, step_s: length, times, series }, measure, title, params) {
  const isLines = /duration|byte/.test(measure);
  const name = (seconds) => day(seconds * 1000) + (step === "day" ? "" : ` ${timeClock.format(seconds * 1000).slice(0, length < 60 ? 8 : 5)}`);
  const kindOf = (index) => (measure === "outcome" ? OUTCOMES[index] : isLines ? KINDS[index >> 1] + (index % 2 ? "" : " p50") : (KINDS[index] ?? "others"));
  const onpick = (index) => {
    const [from, end] = [times[index], times[index + 1] ?? times[index] + length];
    const range = step === "day" ? { from: day(from * 1000), to: day(from * 1000) } : { from: new Date(from * 1000).toISOString(), to: new Date(end * 1000).toISOString() };
    go("requests", { ...params, ...range });
  };
  return {
    title: `${title} by ${stepName(length)}`,
    labels: times.map(name),
    series: series.filter((one) => one.measure === measure).map((one, index) => ({ ...one, kind: kindOf(index) })),
    format: isLines ? summedTime : measure === "cost" ? dollars : count,
    sign: measure === "cost" ? "$" : "",
    ticks: (most) => roundTicks(times.map(name), most),
    isLines,
    onpick,
  };
}

/** Writes the length of a step: `5 minutes`, `hour`. */
function stepName(seconds) {
  const [unit, word] = [[86400, "day"], [3600, "hour"], [60, "minute"], [1, "second"]].find(([unit]) => seconds % unit === 0);
  return seconds === unit ? word : `${seconds / unit} ${word}s`;
}

/** Returns texts for the labels at round times, by index: days at midnight, times between; at most so many. */
function roundTicks(labels, most) {
  const minutes = (label) => Date.parse(`${label.slice(0, 10)}T${label.slice(11).padEnd(5, "00:00").padEnd(8, ":00")}Z`) / 6e4;
  for (const every of [1, 5, 10, 15, 30, 60, 120, 180, 360, 720, 1440, 2880, 7200, 14400, 28800, 86400, 432000]) {
    const at = [...labels.keys()].filter((index) => minutes(labels[index]) % every === 0);
    if (at.length <= most) return new Map(at.map((index) => [index, minutes(labels[index]) % 1440 ? labels[index].slice(11, 16) : labels[index].slice(5, 10)]));
  }
  return new Map();
}
