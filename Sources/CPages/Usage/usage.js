// A caller's own limits, and the use of the last 30 days.

const [form, key, forget, place] = ["ask", "key", "forget", "shown"].map((id) => find(`#${id}`));

form.addEventListener("submit", (event) => {
  event.preventDefault();
  sessionStorage.setItem("key", key.value);
  show();
});

forget.addEventListener("click", () => {
  sessionStorage.removeItem("key");
  [key.value, forget.hidden] = ["", true];
  fill(place);
  key.focus();
});

async function show() {
  key.value = sessionStorage.getItem("key") ?? "";
  forget.hidden = !key.value;
  if (!key.value) return;
  let [told, response] = [null, null];
  try {
    response = await fetch("/v1/usage", { headers: { Authorization: `Bearer ${key.value.trim()}` }, cache: "no-store" });
    told = await response.json();
  } catch {
    fill(place, notice("error", "The relay cannot be reached. Check that you are online, then try again."));
    return;
  }
  if (response.ok) fill(place, content(told));
  else fill(place, notice("error", told.error?.message ?? `The relay answered with status ${response.status}.`));
}

/** Creates a table; columns with a number in `wide` are left out on phones. */
function grid(headings, rows, wide = []) {
  const kind = (index) => (wide.includes(index) ? ".n.wide" : ".n");
  const cells = (values) => values.map((value, index) => (index ? h(`td${kind(index)}`, value) : h("th.name", { scope: "row" }, value)));
  const heads = headings.map((label, index) => h(index ? `th${kind(index)}` : "th", { scope: "col" }, label));
  return h("div.scroll", { tabindex: 0 }, h("table", h("thead", h("tr", heads)), h("tbody", rows.map((row) => h("tr", cells(row))))));
}

/** Writes what is used of a budget in dollars: `$2.79 of $20.00 this month`. */
function budgetWords({ limit, name, used }) {
  const [, amount, period] = /^([\d.]+) usd per (.+)$/.exec(limit) ?? [];
  if (!period || used === null) return null;
  const words = { month: "this month", "calendar-day": "today" }[period] ?? `per ${period}`;
  return h("p", dollars(Number(used)), " of ", dollars(Number(amount)), name.startsWith("group ") && ` of ${name}`, ` ${words}`);
}

function content(told) {
  const limits = told.limits.map((limit) => [
    limit.used === null ? limit.limit : [`${limit.name ?? ""} ${limit.limit}`.trim(), bar(limit)],
    limit.used === null ? (limit.is_used_up ? "all" : NONE) : decimal(limit.used),
    limit.used === null ? (limit.is_used_up ? decimal("0") : "some") : decimal(limit.left),
    limit.resets_at ? time(limit.resets_at * 1000) : NONE,
  ]);
  const days = [...told.days].reverse().map((row) => [row.date, count(row.requests), count(row.prompt_tokens), count(row.completion_tokens), costOf(row.cost, row.unpriced)]);
  const sum = (name) => told.days.reduce((total, row) => total + row[name], 0);
  return [
    told.caller === null && notice("warning", "The relay does not know this key. These are the limits of callers without one."),
    h("h2", told.caller ? `Limits of ${told.caller}` : "Limits"),
    told.limits.map(budgetWords),
    limits.length ? grid(["Limit", "Used", "Left", "Free again"], limits) : h("p.empty", "This key has no limits."),
    h("h2", "The last 30 days"),
    days.length ? grid(["Day", "Requests", "Tokens in", "Tokens out", "Cost"], days, [2, 3]) : h("p.empty", "No usage was recorded in the last 30 days, or this relay keeps no records."),
    sum("unpriced") > 0 && h("p.dim", `${count(sum("unpriced"))} of ${count(sum("requests"))} without a price.`),
  ];
}

show();
