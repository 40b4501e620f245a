// Usage: sums over time, as a chart and as a table.

function usageView() {
  const [notes, below] = [h("div"), h("div.stale")];
  const place = chartPlace();
  const files = ["csv", "json"].map((format) => h("a.button", { download: `usage.${format}` }, format.toUpperCase()));
  const form = formOf("usage");
  form.append(place.button);
  const words = frame("Usage", [files, h("button", { onclick: () => print() }, "Print"), refreshButton()], form, notes, place.place, below);
  return {
    async update(params, signal) {
      const [by, measure] = [params.by || "model", params.measure || "requests"];
      const range = rangeOf(params, "30d");
      fillForm(form, { ...range, by, measure });
      const told = await read("/admin/timeline", { by, measure, ...range }, signal);
      const end = (seconds) => [day(seconds * 1000), timeClock.format(seconds * 1000)].join(" ").slice(0, 16);
      fill(words, `${end(told.from)} to ${end(told.to)}, ${zone}`);
      fill(
        notes,
        told.partial && incomplete(),
        told.cut && warning("Only the largest are listed. The sum and the files have all."),
      );
      place.show(timelineChart(told, measure, `${measure} by ${by}`));
      fill(below, usageTable(told, by, { ...params, ...range }));
      for (const file of files) file.href = address("/admin/timeline", { by, ...range, format: file.textContent.toLowerCase() });
    },
    leave: place.stop,
  };
}

/** Returns the longest part of a kind of causes that all of them have. */
const firmWords = (kind) => kind.split("…").sort((one, other) => other.length - one.length)[0].trim().slice(0, 200);

function usageTable(sums, by, params) {
  const sort = sorting("usage", params, "requests");
  const value = (row) => row[sort.key] ?? "";
  const rows = [...sums.items].sort((one, other) => (value(one) < value(other) ? -1 : value(one) > value(other) ? 1 : 0) * (sort.down ? -1 : 1));
  const named = (row) => (row === sums.sum ? "Sum" : row[by] ? link(row[by], "requests", { ...(by === "cause" ? { keywords: firmWords(row[by]), status: "failed" } : { [by]: row[by] }), last: params.last, from: params.from, to: params.to }) : h("span.dim", "none"));
  const number = (label, key, classes) => [label, (row) => h(key === "failures" && row.failures ? "span.bad" : "span", count(row[key])), classes, key];
  const columns = [
    [by[0].toUpperCase() + by.slice(1), named, "name", by],
    number(by === "provider" ? "Calls" : "Requests", "requests", "n"),
    number("Failures", "failures", "n"),
    number("Refused", "refusals", "n"),
    number("Client errors", "client_errors", "n wide"),
    number("Tokens in", "prompt_tokens", "n wide"),
    number("Tokens out", "completion_tokens", "n wide"),
    ["Cost", (row) => costOf(row.cost, row.unpriced), "n", "cost"],
    ["Half within", (row) => summedTime(row.p50_ms), "n wide", "p50_ms"],
    ["95 % within", (row) => summedTime(row.p95_ms), "n wide", "p95_ms"],
  ];
  const shown = table(columns, rows, { sort, foot: sums.sum, empty: "Nothing was recorded in this time." });
  return [shown, h("p.dim", "A panel's request has the tokens of its summary and the cost of all its calls. A cost of – has no known price.", sums.sum.unpriced && ` ${count(sums.sum.unpriced)} of ${count(sums.sum.requests)} without a price.`)];
}
