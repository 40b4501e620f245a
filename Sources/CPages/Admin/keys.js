// Keys: groups and keys with what is left of their budgets. What is nearest to its end is first.

function keysView() {
  const [list, notes] = [h("div.stale"), h("div")];
  const words = frame("Keys", refreshButton(), notes, list);
  return {
    async update(params, signal) {
      const told = await read("/admin/keys", {}, signal);
      fill(words, `${count(told.total)}, the nearest to an end first`);
      fill(notes, !told.shared && h("p.dim", `What is left is what ${told.instance} alone knows.`));
      fill(list, callersTable(told.items));
    },
  };
}

function callersTable(rows) {
  const isGroup = (row) => row.kind === "group";
  const cost = (row, period) => costOf(row[`cost_${period}`] == null ? null : Number(row[`cost_${period}`]), row[`unpriced_${period}`]);
  const end = (row) => [row.state && row.state !== "ok" && h(`span.${row.state === "ends soon" ? "warn" : "bad"}`, row.state, " "), row.expires_at && time(row.expires_at * 1000)];
  const slim = (row) => h("div.more.slim", "today ", cost(row, "today"), ", month ", cost(row, "month"), end(row).some(Boolean) && [", ", end(row)]);
  const name = (row) => (isGroup(row) ? `group ${row.name}` : [link(row.name, "requests", { caller: row.name }), row.groups.length > 0 && h("span.dim", ` in ${row.groups.join(", ")}`)]);
  const failures = (row) => h(row.failures ? "span.bad" : "span", count(row.failures));
  const columns = [
    ["Key", (row) => [name(row), more(row.models.join(", ")), slim(row)], "name"],
    ["Left", (row) => (row.budgets.length ? row.budgets.map(budgetLeft) : NONE), "share"],
    ["Today", (row) => cost(row, "today"), "n wide"],
    ["This month", (row) => cost(row, "month"), "n wide"],
    ["Failures", failures, "n wide"],
    ["Last used", (row) => (row.last_used ? dayName(row.last_used) : NONE), "n wide"],
    ["Ends", (row) => (end(row).some(Boolean) ? end(row) : NONE), "n wide"],
  ];
  return table(columns, rows, { empty: "No key is configured. KEY_<NAME>_TOKEN adds one." });
}

/** Writes what is left of a budget and when all of it is free again, below a bar. */
function budgetLeft(row) {
  const end = row.resets_at && [" until ", time(row.resets_at * 1000)];
  return h("div", bar(row), more(amountOf(row.unit, row.left), " of ", row.quota.replace(/\d{4,}/, decimal), end));
}
