// Overview: how the relay is, from one stream of events.

function overviewView() {
  const charts = { outcome: chartPlace(), duration: chartPlace(), first_byte: chartPlace(), failed: chartPlace() };
  const form = formOf("overview");
  const live = frame("Overview", [], find("#overview-parts").content.cloneNode(true));
  const parts = Object.fromEntries([...main.querySelectorAll("[data-part]")].map((part) => [part.dataset.part, part]));
  fill(parts.tiles, overviewTiles(null));
  let [now, sums] = [null, null];
  const showTiles = () => fill(parts.tiles, overviewTiles(now, sums, range));
  fill(parts.form, form);
  for (const name in charts) fill(parts[name], h("div.head", h("h2", CHARTS[name]), h("span.push", charts[name].button)), charts[name].place);
  let [range, readAt] = [{}, 0];
  async function showCharts(signal) {
    readAt = Date.now();
    const [all, causes] = await Promise.all([
      read("/admin/timeline", { measure: "outcome,duration,first_byte", ...range }, signal),
      read("/admin/timeline", { by: "cause", measure: "failed", ...range }, signal),
    ]);
    for (const name in charts) charts[name].show(timelineChart(name === "failed" ? causes : all, name, CHARTS[name], name === "failed" ? { status: "failed" } : {}));
    sums = all.sum;
    showTiles();
    fill(parts.partial, all.partial && incomplete());
  }
  const stream = liveOverview((told) => {
    now = told;
    showTiles();
    showOverview(parts, told);
    if (Date.now() - readAt > 30000) showCharts().catch(() => {});
  }, live, parts.notes);
  return {
    async update(params, signal, isMove) {
      range = rangeOf(params, "1h");
      fillForm(form, range);
      if (!isMove) stream.open();
      await showCharts(signal);
    },
    leave() {
      stream.close();
      for (const name in charts) charts[name].stop();
    },
  };
}

const CHARTS = { outcome: "Requests", duration: "Duration", first_byte: "First byte after", failed: "Failed requests, by cause" };

/** Reads the live events while the page is seen, and nothing while it is hidden. */
function liveOverview(show, live, notes) {
  let [source, timer] = [null, 0];
  const close = () => {
    source?.close();
    clearTimeout(timer);
  };
  const open = () => {
    close();
    fill(live, document.hidden ? "paused" : "connecting …");
    if (document.hidden) return;
    source = new EventSource("/admin/live");
    source.addEventListener("overview", (event) => {
      fill(live, "live");
      show(JSON.parse(event.data));
    });
    source.onerror = async () => {
      close();
      fill(live, "not live");
      timer = setTimeout(open, 10000);
      // A stream does not say why it failed; a plain request does.
      await read("/admin/overview").then(show, (failure) => fill(notes, notice("error", failure.message, refreshButton())));
    };
  };
  document.addEventListener("visibilitychange", open);
  return {
    open,
    close() {
      document.removeEventListener("visibilitychange", open);
      close();
      fill(live);
    },
  };
}

/** Creates the figures of now and of the chosen time; without data their places. */
function overviewTiles(told, sums, range) {
  const { minutes = [], running, waiting, today = {}, yesterday = {} } = told?.data ?? {};
  const lately = (name, some = minutes.slice(-5)) => count(some.reduce((all, minute) => all + minute[name], 0));
  const { requests, failures, refusals, client_errors: others, first_byte_p50_ms: p50, first_byte_p95_ms: p95, cost, unpriced } = sums ?? {};
  const tokens = (sums) => count(sums && sums.prompt_tokens + sums.completion_tokens);
  const linked = (text, status) => link(text, "requests", { status, ...range });
  const beside = (write) => ["today ", write(today), ", yesterday ", write(yesterday)];
  const tiles = [
    [link("Running", "requests", { status: "running" }), count(running), told && `at ${told.instance}`],
    ["Waiting", count(waiting), "for limits or capacity"],
    ["First byte, median", duration(p50), `95 % within ${duration(p95)}`],
    [linked("Failures", "failures"), h(failures ? "span.bad" : "span", count(failures)), `of ${count(requests)} requests, ${lately("failures")} in the last 5 minutes`],
    [linked("Refused", "refusals"), count(refusals), ["by limits; ", linked(`${count(others)} client errors`, "client_errors")]],
    [link("Limited by budgets, last hour", "requests", { status: "budget", last: "1h" }), lately("budgets", minutes), "ended, or max_tokens lowered"],
    [linked("Requests"), count(requests), beside((sums) => count(sums.requests))],
    [link("Tokens", "usage", { measure: "tokens", ...range }), tokens(sums), beside(tokens)],
    [link("Cost", "usage", { measure: "cost", ...range }), costOf(cost, unpriced), beside((sums) => costOf(sums.cost, sums.unpriced))],
  ];
  return tiles.map(([label, value, note]) => h("div", h("dt", label), h("dd", told && sums ? value : NONE), h("dd.more", told && sums && note)));
}

function showOverview(parts, told) {
  const { providers, limits, instances, partial } = told.data;
  const bad = providers.filter((provider) => provider.state !== "ok" || provider.bad_keys.length);
  const named = (provider) => link(provider.name, "providers");
  fill(parts.providers, table([["Provider", named, "name"], ["State", providerState]], bad, { empty: `All ${providers.length} can be used.` }));
  const columns = [
    ["Caller", (row) => [link(whose(row), "limits", { caller: row.caller }), more(row.limit, ", ", row.quota)], "name"],
    ["Share", bar, "share"],
    ["Left", (row) => amountOf(row.unit, row.left), "n"],
  ];
  fill(parts.limits, table(columns, limits, { empty: "No limit of a known key or of all callers is used at the moment." }));
  fill(parts.instances, instancesTable(instances));
  const digests = new Set(instances.filter((one) => !one.silent).map((one) => one.settings));
  fill(
    parts.notes,
    partial && warning("The figures of today are not complete: they were read for a second only."),
    digests.size > 1 && warning("Instances have different settings: see the column Settings. Reload those that are behind."),
  );
}

/** Writes a provider's state and why: `1 of 2 keys, k2: 401 since 17:41`. */
function providerState({ state: text, reason, since, keys, bad_keys: bad }) {
  const ofKeys = bad.length > 0 && more(`${keys - bad.length} of ${keys} keys`, bad.map((key) => [", ", key.name, ": ", why(key)]));
  return [text === "ok" ? [] : state(text, since), reason && more(why({ reason, since })), ofKeys];
}

function instancesTable(instances) {
  const silent = (row) => row.silent && [" ", h("span.badge.bad", "silent since ", time(row.seen_at * 1000))];
  const columns = [
    ["Name", (row) => [row.name, silent(row), more(h(row.age_s > 20 ? "span.warn" : "span", `${count(row.age_s)} s ago`))], "name"],
    ["Requests/min", (row) => count(row.requests_per_minute), "n"],
    ["Running", (row) => count(row.running), "n"],
    ["Memory", (row) => `${count(row.memory_mb)} MB`, "n wide"],
    ["Longest turn", (row) => duration(row.longest_turn_ms), "n wide"],
    ["Store", (row) => h(row.store === "unavailable" ? "span.bad" : "span", row.store)],
    ["Started", (row) => time(row.started_at * 1000), "wide"],
    ["Version", (row) => row.version, "wide"],
    ["Settings", (row) => h(row.settings === instances[0].settings ? "code" : "code.warn", row.settings), "wide"],
  ];
  return table(columns, instances, { empty: "No instance has written its entry yet: that takes ten seconds." });
}
