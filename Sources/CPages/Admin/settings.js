// Settings in force, warnings, and what operators did.

function settingsView() {
  const [list, notes, actions] = [h("div.stale"), h("div"), h("div.stale")];
  const form = formOf("settings");
  const showProblems = (problems) => fill(notes, problems.map((text) => warning(text)));
  const reload = () => change("Read the settings anew? Only the instance that answers does so.", "Reload", "POST", "/admin/reload", (told) => `${told.msg} at ${told.instance}.`, undefined, showProblems);
  const words = frame("Settings", h("button.main", { onclick: reload }, "Reload …"), notes, form, list, actions);
  let data = null;
  return {
    async update(params, signal, isMove) {
      fillForm(form, params);
      if (!isMove || !data) {
        const told = await read("/admin/config", {}, signal);
        data = told.data;
        fill(words, `of ${told.instance}, from ${data.sources.join(", ") || "defaults"}`);
        const waiting = data.waiting_for_restart.join(", ");
        showProblems([...(waiting ? [`Not in force before a restart: ${waiting}`] : []), ...data.warnings]);
        fill(actions, h("h2", "Actions of operators"), actionsTable(data.actions));
      }
      fill(list, settingsTable(data.settings, params));
    },
  };
}

function settingsTable(rows, { find = "", all }) {
  const found = rows.filter((row) => (all || row.changed || find) && `${row.name}=${row.value}`.toLowerCase().includes(find.toLowerCase()));
  const columns = [
    ["Setting", (row) => h(row.changed ? "code" : "code.dim", row.name), "name half"],
    ["Value", (row) => (row.value === "" ? h("span.dim", "unset") : h("code", row.value))],
    ["From", (row) => row.source, "wide dim"],
  ];
  return table(columns, found, { empty: find ? "No setting has this text." : "All settings have their defaults." });
}

function actionsTable(actions) {
  const columns = [
    ["Time", (row) => time(row.time), "name"],
    ["User", (row) => row.user || NONE],
    ["Act", (row) => [row.act, more(row.target.slice(0, 200))]],
    ["Address", (row) => row.address, "wide"],
  ];
  return table(columns, actions, { empty: "Nobody did anything since the start." });
}
