// Usage: sums by day, as a chart and as a table.

// Hues that can be told apart, also by eyes that do not tell red from green.
const KINDS = ["c0", "c1", "c2", "c3", "c4"];

function usageView() {
  const [notes, below] = [h("div"), h("div.stale")];
  const place = chartPlace();
  const files = ["csv", "json"].map((format) => h("a.button", { download: `usage.${format}` }, format.toUpperCase()));
  const form = formOf("usage");
  form.append(place.button);
  const presets = form.querySelectorAll("[data-days]");
  for (const button of presets) button.onclick = () => go("usage", { ...paramsNow(), from: addDays(day(Date.now()), 1 - button.dataset.days), to: "" });
  const words = frame("Usage", [files, h("button", { onclick: () => print() }, "Print"), refreshButton()], form, notes, place.place, below);
  return {
    async update(params, signal) {
      const today = day(Date.now());
      const [by, measure] = [params.by || "model", params.measure || "requests"];
      const range = { from: params.from || addDays(today, -29), to: params.to || today };
      fillForm(form, { ...range, by, measure });
      for (const button of presets) button.setAttribute("aria-pressed", range.to === today && range.from === addDays(today, 1 - button.dataset.days));
      const [byDay, sums] = await Promise.all([`day,${by}`, by].map((dimensions) => read("/admin/usage", { by: dimensions, ...range }, signal)));
      fill(words, `${range.from} to ${range.to}, ${zone}`);
      fill(
        notes,
        (byDay.partial || sums.partial || byDay.items.some((row) => row.partial)) && warning("The sums are not complete: old records are still being summed, or the query was cut off after a second."),
        (byDay.cut || sums.cut) && warning("There are more rows than a response holds. Choose fewer days."),
      );
      place.show(usageChart(byDay.items, range, by, measure));
      fill(below, usageTable(sums, by, { ...params, ...range }));
      for (const file of files) file.href = address("/admin/usage", { by, ...range, format: file.textContent.toLowerCase() });
    },
    leave: place.stop,
  };
}

/** The greatest groups have a colour each; all others are one. */
function usageChart(items, { from, to }, by, measure) {
  const labels = [];
  for (let next = from; next <= to && labels.length < 1000; next = addDays(next, 1)) labels.push(next);
  const groups = new Map();
  for (const row of items) {
    const name = row[by] ?? "none";
    if (!groups.has(name)) groups.set(name, { name, sum: 0, values: labels.map(() => 0) });
    const [group, value] = [groups.get(name), measure === "tokens" ? row.prompt_tokens + row.completion_tokens : (row[measure] ?? 0)];
    group.sum += value;
    group.values[labels.indexOf(row.day)] += value;
  }
  const ranked = [...groups.values()].sort((one, other) => other.sum - one.sum);
  const series = ranked.slice(0, KINDS.length).map((group, index) => ({ ...group, kind: KINDS[index] }));
  const others = ranked.slice(KINDS.length);
  if (others.length) series.push({ name: `${others.length} others`, kind: "others", values: labels.map((_, index) => others.reduce((sum, group) => sum + group.values[index], 0)) });
  const format = measure === "cost" ? dollars : count;
  return { title: `${measure} by day and ${by}`, labels, series, format, sign: measure === "cost" ? "$" : "", onpick: (index) => go("requests", { from: labels[index], to: labels[index] }) };
}

function usageTable(sums, by, params) {
  const sort = sorting("usage", params, "requests");
  const value = (row) => row[sort.key] ?? "";
  const rows = [...sums.items].sort((one, other) => (value(one) < value(other) ? -1 : value(one) > value(other) ? 1 : 0) * (sort.down ? -1 : 1));
  const named = (row) => (row === sums.sum ? "Sum" : row[by] ? link(row[by], "requests", { [by]: row[by], from: params.from, to: params.to }) : h("span.dim", "none"));
  const number = (label, key, classes) => [label, (row) => h(key === "failed" && row.failed ? "span.bad" : "span", count(row[key])), classes, key];
  const columns = [
    [by[0].toUpperCase() + by.slice(1), named, "name", by],
    number(by === "provider" ? "Calls" : "Requests", "requests", "n"),
    number("Failed", "failed", "n"),
    number("Tokens in", "prompt_tokens", "n wide"),
    number("Tokens out", "completion_tokens", "n wide"),
    ["Cost", (row) => costOf(row.cost, row.unpriced), "n", "cost"],
  ];
  const shown = table(columns, rows, { sort, foot: sums.sum, empty: "Nothing was recorded in these days. Choose an earlier day in From." });
  return [shown, h("p.dim", "A panel's request has the tokens of its summary and the cost of all its calls. A cost of – has no known price.", sums.sum.unpriced && ` ${count(sums.sum.unpriced)} of ${count(sums.sum.requests)} without a price.`)];
}
