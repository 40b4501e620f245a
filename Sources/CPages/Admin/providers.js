// Providers: states, keys and models.

function providersView() {
  const list = h("div.stale");
  const words = frame("Providers", refreshButton(), list);
  return {
    async update(params, signal) {
      const [told, quirks] = await Promise.all([read("/admin/provider", {}, signal), read("/admin/quirks", {}, signal)]);
      const names = [...new Set(told.items.map((row) => row.name))];
      fill(words, `${names.length}, as ${told.instance} sees them`);
      fill(list, names.length ? names.map((name) => [providerSection(told.items.filter((row) => row.name === name)), quirksPart(quirks, name)]) : h("p.empty", "No provider is configured. PROVIDER_<NAME>_KIND adds one."));
    },
  };
}

function providerSection(rows) {
  const { name, provider, base_url: url, priority, errors, p50_ms: p50, p95_ms: p95 } = rows[0];
  const bad = rows.find((row) => row.state !== "ok");
  const path = `/admin/provider/${encodeURIComponent(name)}/resume`;
  const done = () => `${name} is used again; at other instances within ten seconds.`;
  const resume = () => change(`Have ${name} used again at once? Cooldowns of its keys end, and its circuit breakers close.`, "Resume", "POST", path, done, {});
  const resumeKey = (key) => change(`End the cooldown of the key ${key} of ${name}?`, "End cooldown", "POST", path, done, { key });
  const models = modelsTable(rows);
  return h(
    "section.provider",
    { "aria-label": name },
    h("div.head", h("h2", name), state(bad?.state ?? "ok", bad?.since), bad?.reason && h("span.dim", why(bad)), h("span.dim", provider, ", priority ", count(priority), url && ", ", url), h("span.push", bad && h("button.small.act", { onclick: resume }, "Resume"))),
    facts([
      ["Duration, last hour", p50 != null && `half within ${duration(p50)}, 95 % within ${duration(p95)}`],
      ["Errors, last hour", errors && causes(errors)],
    ]),
    h("div.columns", keysTable(rows[0], resumeKey), rows.length > 12 ? h("details", { open: Boolean(bad) }, h("summary", `${rows.length} models`), models) : models),
  );
}

/** Writes errors by cause, the most frequent first. */
function causes(errors) {
  const pairs = Array.isArray(errors) ? errors.map((error) => [error.cause, error.count]) : Object.entries(errors);
  return pairs.length ? pairs.sort((one, other) => other[1] - one[1]).map(([cause, number]) => h("div", h("span.bad", count(number)), " ", cause)) : "none";
}

function keysTable(provider, resumeKey) {
  const resume = (key) => /^(cooldown|unavailable)/.test(key.state) && h("button.small.act", { "aria-label": `End the cooldown of ${key.name}`, onclick: () => resumeKey(key.name) }, "End cooldown");
  const columns = [
    ["Key", (key) => key.name, "name"],
    ["Weight", (key) => String(key.weight), "n"],
    ["State", (key) => [state(key.state, key.since), key.reason && more(why(key))]],
    ["", resume, "n"],
  ];
  return table(columns, provider.keys, { caption: provider.api_key, empty: "No key of its own: callers bring theirs, or none is needed." });
}

function modelsTable(rows) {
  const names = (row) => [row.mapped_model ?? "all that the vendor lists", row.original_model && row.original_model !== row.mapped_model && h("span.dim", " → ", row.original_model)];
  const columns = [
    ["Model", names, "name"],
    ["Weight", (row) => String(row.weight), "n wide"],
    ["$ per million, in/out", (row) => prices(row.cost), "n"],
    ["State", (row) => state(row.state, row.since)],
  ];
  return table(columns, rows, {});
}

/** Writes a price of a thousand tokens as prices of a million; other forms stay as the settings have them. */
const prices = (text) => (/^[\d./]+$/.test(text ?? "") ? text.split("/").map((price) => dollars(Number(price) * 1000)).join(" / ") : (text ?? NONE));

/** Creates the list of what the vendor refuses, so that the relay changes requests, and the buttons that forget it. */
function quirksPart({ items, shared, instance }, name) {
  const own = items.filter((row) => row.provider === name);
  if (!own.length) return null;
  const scope = shared ? "Other instances forget it within ten seconds." : `Without memcached, ${instance} alone forgets it.`;
  const forget = (row) => change(`Forget that ${name} refuses ${row.quirk} for ${row.model}? The next request tries it again. ${scope}`, "Forget", "DELETE", `/admin/quirks/${row.id}`, () => `Forgotten. ${scope}`);
  const columns = [
    ["Model", (row) => row.model, "name"],
    ["Refused", (row) => [h("code", row.quirk), row.condition && more(row.condition), row.words && more(row.words)]],
    ["For", (row) => row.for, "wide"],
    ["Until", (row) => time(row.ends_at * 1000), "wide"],
    ["", (row) => h("button.small.act", { "aria-label": `Forget ${row.quirk} of ${row.model}`, onclick: () => forget(row) }, "Forget"), "n"],
  ];
  return h("details", h("summary", `${count(own.length)} refused by ${name}`), table(columns, own, {}), h("p.dim", scope));
}
