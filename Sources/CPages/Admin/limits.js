// Limits: what each caller has left, and the reset of one.

function limitsView() {
  const [list, notes, pages] = [h("div.stale"), h("div"), h("div.controls")];
  const form = formOf("limits");
  const words = frame("Limits", refreshButton(), form, notes, list, pages);
  return {
    async update(params, signal) {
      fillForm(form, { ...params, order: params.order === "configured" ? params.order : "" });
      const page = Number(params.page) || 1;
      const told = await read("/admin/limits", { caller: params.caller, page }, signal);
      fill(words, `${count(told.total)} callers`);
      fill(notes, !told.shared && h("p.dim", `These are the figures of ${told.instance} alone.`));
      fill(list, limitsTable(told, params));
      const at = (text, next) => turn(text, "limits", { ...params, page: next });
      fill(pages, page > 1 && at("Previous callers", page - 1), told.total > page * 200 && at("Next callers", page + 1));
    },
  };
}

function limitsTable(told, params) {
  const isShown = (row) => params.all || params.caller || Number(row.used) > 0 || row.waiting > 0;
  const rows = told.items.filter(isShown);
  if (params.order !== "configured") rows.sort((one, other) => share(other) - share(one));
  const unused = told.items.length - rows.length;
  const done = (answer) => (answer.data.all_instances ? "Reset. Other instances may reject requests for ten seconds more." : `Reset at ${answer.instance} alone.`);
  const words = (row) => row.limit.replace(/^key\.total$/, "all requests of the key").replace(/^total$/, "all requests of all callers").replace(/^key\./, "");
  const quota = (row) => row.quota.replace(/\d{4,}/, decimal);
  const reset = (row) => {
    const name = `${words(row)}, ${quota(row)}, of ${whose(row)}`;
    const question = `Set the use of ${name} to 0?${row.caller ? "" : ` It counts the requests of ${row.group ? "its members" : "all callers"} together.`}`;
    const onclick = () => change(question, "Reset", "POST", "/admin/limits/reset", done, { caller: row.caller, id: row.id });
    return row.unit !== "concurrent" && h("details.act", h("summary", { "aria-label": `Change ${name}` }, "…"), h("button.small", { disabled: !Number(row.used), "aria-label": `Reset ${name}`, onclick }, "Reset"));
  };
  const columns = [
    ["Caller", (row) => [link(whose(row), "requests", { caller: row.caller }), h("div.more.slim", words(row), ", ", quota(row))], "name"],
    ["Limit", words, "wide"],
    ["Quota", quota, "wide"],
    ["Share", bar, "share"],
    ["Used", (row) => amountOf(row.unit, row.used), "n wide"],
    ["Left", (row) => amountOf(row.unit, row.left), "n"],
    ["Free again", (row) => (row.resets_at ? time(row.resets_at * 1000) : NONE), "n wide"],
    ["Waiting", (row) => h(row.waiting ? "span.warn" : "span", count(row.waiting)), "n wide"],
    ["", reset, "n"],
  ];
  const none = params.caller ? "No caller of this name has limits. Names are those of keys; the log names others by 16 characters." : "No known key has a limit. RATE_LIMIT and KEY_<NAME>_RATE_LIMIT set limits.";
  return [
    table(columns, rows, { empty: unused ? "No limit is used at the moment." : none }),
    unused > 0 && h("p.dim", `Not shown: ${count(unused)} unused. `, link("Show all", "limits", { ...params, all: "yes" }), "."),
  ];
}
