// Cache: the stored responses.

function cacheView() {
  const [list, pages] = [h("div.stale"), h("div.controls")];
  const picks = picker("/admin/req_cache", "Later requests are asked of vendors again.");
  const clear = h("button.danger", { disabled: true, onclick: () => change("Delete all entries? Later requests are asked of vendors again.", "Delete all", "DELETE", "/admin/req_cache", () => "Deleted all entries.") }, "Delete all …");
  const form = formOf("cache");
  const words = frame("Cache", [picks.buttons, clear, refreshButton()], form, list, pages);
  return {
    async update(params, signal) {
      fillForm(form, params);
      const page = Number(params.page) || 1;
      const told = await read("/admin/req_cache", { keywords: params.keywords, order_by: params.sort, order_dir: params.order, page, per_page: ROWS }, signal);
      const isListed = told.store === "memory";
      picks.clear();
      form.hidden = !isListed;
      clear.disabled = !told.store;
      // Nobody counts what memcached keeps.
      const kept = told.store !== "memcached" && `${count(told.total)} entries, ${size(told.bytes)}, `;
      fill(words, told.store && [kept, `${count(told.hits)} hits, in ${isListed ? `the memory of ${told.instance}` : told.store}`]);
      fill(list, cacheTable(told, params, picks));
      const at = (text, next) => turn(text, "cache", { ...params, page: next });
      fill(pages, page > 1 && at("Previous", page - 1), isListed && told.total > page * ROWS && at("Next", page + 1));
    },
  };
}

function cacheTable(told, params, picks) {
  if (!told.store) return h("p.empty", "The cache is off. CACHE=true stores responses, so that equal requests are answered without a vendor.");
  if (told.store !== "memory") return h("p.empty", "Entries of this store are sealed by their requests. They can be counted, but not listed.");
  // The content is read when somebody opens it.
  const open = async (event, row) => {
    const { data } = await read(`/admin/req_cache/${row.id}`);
    fill(event.target.querySelector("div"), bodies({ request_data: data.req, response_data: data.resp }));
  };
  const entry = (row) => h("details", { ontoggle: (event) => event.target.open && open(event, row).catch((failure) => say(failure.message)) }, h("summary", row.md5.slice(0, 12)), h("div"));
  const columns = [
    ["Entry", (row) => [time(row.created_at), entry(row)], "name", "id"],
    ["Model", (row) => row.model ?? NONE],
    ["Caller", (row) => row.caller ?? noKey(), "wide"],
    ["Hits", (row) => count(row.hit_count), "n", "hit_count"],
    ["Used", (row) => time(row.updated_at), "n wide", "updated_at"],
    ["Size", (row) => size(row.bytes), "n", "bytes"],
  ];
  return table(columns, told.items, { sort: sorting("cache", params, "id"), picks, empty: params.keywords ? "No entry has this text in its id, model or caller." : "No response is stored yet." });
}
