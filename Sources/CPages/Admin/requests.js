// Requests: records with filters, and one with its calls.

const ROWS = 50;

function requestsView() {
  const [list, notes, pages] = [h("div.stale"), h("div"), h("div.controls")];
  const picks = picker("/admin/req_logs", "The sums of usage lose what they tell. This cannot be undone.");
  const form = formOf("requests");
  const figures = h("p.figures.dim");
  const [state, tailButton] = [h("span"), h("button", { "aria-pressed": "false", onclick: () => setTail(!tail) }, "Live")];
  const words = frame("Requests", [picks.buttons, tailButton, refreshButton()], form, figures, notes, list, pages);
  let [detail, shownList, tail, ended] = [null, "", null, null];
  /** Begins or ends to show requests as they end, except while the reader picks, types or reads one. */
  function setTail(isOn) {
    tail?.close();
    tail = isOn ? liveOverview(showNew, state, notes) : null;
    tail?.open();
    tailButton.setAttribute("aria-pressed", isOn);
  }
  function showNew({ data: { today, running } }) {
    const { before, status } = paramsNow();
    const now = `${today.requests} ${status === "running" && running}`;
    if (now === ended || before || detail || !picks.button.hidden || form.contains(document.activeElement)) return;
    ended = now;
    refresh();
  }
  return {
    async update(params, signal, isMove) {
      const key = hashOf("requests", { ...params, id: "" });
      if (!isMove || key !== shownList) {
        shownList = "";
        await update({ ...params, id: "" }, signal);
        shownList = key;
      }
      detail = await showRecord(params, detail, picks, signal);
    },
    leave() {
      setTail(false);
      detail?.remove();
    },
  };
  async function update(params, signal) {
    fillForm(form, params);
    for (const part of form.querySelectorAll("details")) {
      const isUsed = [...part.querySelectorAll("[name]")].some((control) => control.value);
      if (isUsed || part.matches(".filters") && innerWidth > 720) part.open = true;
    }
    picks.clear();
    const isRunning = params.status === "running";
    const told = isRunning ? await read("/admin/running", {}, signal) : await read("/admin/req_logs", { ...params, per_page: ROWS }, signal);
    fill(list, isRunning ? runningTable(told) : recordsTable(told, params, picks));
    fill(words, told.total_is_bound && "more than ", count(told.total), isRunning && ` at ${told.instance}`, " ", state);
    const older = (text, before) => turn(text, "requests", { ...params, before });
    fill(notes, told.partial && warning("The search stopped after a second. These are the records found so far.", told.before && older("Search on", told.before)));
    const sums = isRunning || params.before ? null : await read("/admin/req_figures", { ...params, id: "", before: "" }, signal);
    if (!params.before) fill(figures, sums?.data.requests > 1 && figuresOf(sums.data));
    fill(pages, params.before && older("Newest", ""), !isRunning && told.items.length === ROWS && older("Older", told.items.at(-1).id));
  }
}

/** Writes rates and means of the requests that match the filters. */
function figuresOf({ requests, failed, failures, p50_ms: p50, p95_ms: p95, prompt_tokens: prompt, completion_tokens: completion, cost, unpriced, span_ms: span, cut, partial }) {
  const share = (number) => `${Number(((100 * number) / requests).toFixed(1))} %`;
  return [
    `${cut || partial ? `The newest ${count(requests)}` : `All ${count(requests)}`}: ${share(failed)} failed (${share(failures)} with 5xx), half within ${duration(p50)}, 95 % within ${duration(p95)}, `,
    `${count((prompt + completion) / requests)} tokens`, cost != null && [" and ", costOf(cost / requests, unpriced)], " a request",
    span >= 60000 && `, ${decimal(Number(((requests * 60000) / span).toPrecision(2)))} requests a minute`, ".",
  ];
}

function statusOf(record) {
  const badge = (text, title) => [" ", h("span.badge.dim", { title }, text)];
  return [h(record.status === "completed" ? "span.good" : "span.bad", record.http_status), record.cached && badge("cached"), record.attempts > 1 && badge(`${record.attempts}×`, "upstream calls")];
}

const modelOf = (record) => [record.model ?? NONE, record.model_used && record.model_used !== record.model && h("span.dim", " → ", record.model_used)];

function recordsTable(told, params, picks) {
  const cause = (row) => row.api_error && h("div.more", row.api_error.slice(0, 160));
  const guess = (row) => row.estimated && h("span.dim", { title: "estimated" }, "~");
  const columns = [
    ["Time", (row) => link(time(row.created_at), "requests", { ...params, id: row.id }), "name"],
    ["Caller", (row) => [whole(row.caller ?? noKey()), h("div.more.folded", [row.model, row.provider].filter(Boolean).join(", "), cause(row))], "caller"],
    ["Model", (row) => whole(modelOf(row)), "broad"],
    ["Provider", (row) => whole(row.provider ?? NONE), "broad"],
    ["Endpoint", (row) => whole(row.uri), "broad"],
    ["Status", (row) => [statusOf(row), h("div.more.slim", duration(row.duration_ms))], "status"],
    told.items.some((row) => row.api_error) && ["Cause", cause, "broad cause"],
    ["In", (row) => [guess(row), count(row.prompt)], "n wide"],
    ["Out", (row) => [guess(row), count(row.completion)], "n wide"],
    ["Cost", (row) => costOf(row.quota), "n wide"],
    ["Duration", (row) => duration(row.duration_ms), "n wide"],
  ].filter(Boolean);
  const filtered = ["No request matches these filters, whose names must be exact. ", link("Clear the filters", "requests"), "."];
  const none = ["No request was recorded yet. ", link("Clients", "clients"), " has the settings with which programs ask this relay."];
  return table(columns, told.items, { empty: Object.values(params).some(Boolean) ? filtered : none, picks });
}

function runningTable(told) {
  const columns = [
    ["Request", (row) => h("code", row.id), "name"],
    ["Caller", (row) => whole(row.caller ?? noKey())],
    ["Model", (row) => whole(row.model ?? NONE)],
    ["Provider", (row) => whole(row.provider ?? NONE), "wide"],
    ["Waits for", (row) => row.waiting_for ?? NONE],
    ["Sent", (row) => size(row.bytes), "n wide"],
    ["Age", (row) => duration(row.age_ms), "n"],
  ];
  return table(columns, told.items, { empty: "No request runs at this instance at the moment." });
}

/** Opens, changes or closes the dialog with one request, as the address says. */
async function showRecord(params, dialog, picks, signal) {
  if (!params.id) {
    dialog?.close();
    dialog?.remove();
    return null;
  }
  const close = () => go("requests", { ...paramsNow(), id: "" });
  const box = dialog ?? h("dialog", { "aria-label": "Request", onclose: close });
  let content;
  try {
    content = recordDetail((await read(`/admin/req_logs/${params.id}`, {}, signal)).data, async () => (await picks.remove([params.id])) && close());
  } catch (failure) {
    if (failure.name === "AbortError") throw failure;
    content = notice("error", failure.status === 404 ? "This record is gone: it was deleted, or newer ones took its place." : failure.message);
  }
  fill(box, h("div.head", h("h1", "Request"), h("span.push", h("button", { onclick: close }, "Close"))), content);
  if (!dialog) {
    body.append(box);
    box.showModal();
  }
  return box;
}

function recordDetail(record, remove) {
  const guess = record.estimated ? " (estimated)" : "";
  const waited = (ms) => ms > 0 && duration(ms);
  return [
    facts([
      ["Request id", h("code", record.req_id)],
      ["Started", time(record.created_at)],
      ["Status", [statusOf(record), record.api_status && ` (the vendor's last: ${record.api_status})`]],
      ["Error", record.api_error && h("span.bad", record.api_error)],
      ["Caller", record.caller ? [link(record.caller, "requests", { caller: record.caller }), " ", h("span.dim", record.token)] : noKey()],
      ["Session", record.session],
      ["End user", record.user],
      ["Endpoint", [record.uri, record.stream && ", as a stream", record.rebuilt && ", rebuilt",
        record.lowered_max_tokens && `, max_tokens lowered to ${record.lowered_max_tokens}`]],
      ["Model", modelOf(record)],
      ["Duration", duration(record.duration_ms)],
      ["First byte after", record.ttfb_ms != null && duration(record.ttfb_ms)],
      ["Waited for limits", waited(record.wait_limits_ms)],
      ["Waited for capacity", waited(record.wait_capacity_ms)],
      ["Tokens", `${count(record.prompt)} in, ${count(record.completion)} out${guess}`],
      ["Cost", record.quota != null ? money(record.quota) + guess : record.calls.length ? "no price is known" : NONE],
      ["Counted in", record.limits?.length && record.limits.map((limit) => h("div", limit))],
      ["Trace", record.trace_id && h("code", record.trace_id)],
    ]),
    h("h2", "Upstream calls"),
    callsTable(record.calls),
    bodies(record),
    h("div.controls", h("button.danger", { onclick: remove }, "Delete …")),
  ];
}

function callsTable(calls) {
  const columns = [
    ["Provider", (call) => [call.provider, more([call.key, call.model].filter(Boolean).join(", "))], "name"],
    ["Status", (call) => [h(call.error ? "span.bad" : "span.good", call.status ?? "none"), call.error && more(call.error)]],
    ["Tokens", (call) => `${call.estimated ? "~" : ""}${count(call.prompt)} / ${count(call.completion)}`, "n wide"],
    ["Cost", (call) => [money(call.quota), call.bill.map((line) => more(`${count(line.amount)} ${line.unit} × ${money(line.price)} = ${money(line.product)}`))], "n wide"],
    ["Duration", (call) => duration(call.duration_ms), "n"],
  ];
  return table(columns, calls, { empty: "No provider was asked: the cache answered, or the request was refused before." });
}

function bodies({ request_data: request, response_data: response }) {
  if (!request && !response) return h("p.empty", "No bodies are recorded. ADMIN_LOG_BODIES=true records those of later requests.");
  return [["Request body", request], ["Response body", response]].map(([label, text]) => text && [h("h2", label), h("pre", { tabindex: 0, "aria-label": label }, pretty(text))]);
}

function pretty(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}
