// Settings in force, warnings, lines for a new key, and what operators did.

function settingsView() {
  const [list, notes, key, actions] = [h("div.stale"), h("div"), h("div"), h("div.stale")];
  const form = formOf("settings");
  const showProblems = (problems) => fill(notes, problems.map((text) => warning(text)));
  const reload = () => change("Read the settings anew? Only the instance that answers does so.", "Reload", "POST", "/admin/reload", (told) => `${told.msg} at ${told.instance}.`, undefined, showProblems);
  const words = frame("Settings", h("button.main.act", { onclick: reload }, "Reload …"), notes, form, list, key, actions);
  let data = null;
  return {
    async update(params, signal, isMove) {
      fillForm(form, params);
      if (!isMove || !data) {
        const told = await read("/admin/config", {}, signal);
        // What stands below a list comes with the list, and does not jump.
        if (!data) fill(key, newKey());
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

/** Creates the part that makes the lines of a new key as `relay key` does. The key is known to this page only, until it is left. */
function newKey() {
  const form = find("#key-form").content.firstElementChild.cloneNode(true);
  const place = h("div");
  form.onsubmit = (event) => {
    event.preventDefault();
    const name = form.elements.key.value.toUpperCase().replaceAll("-", "_");
    if (name === "DEFAULT") return fill(place, notice("error", "KEY_DEFAULT_... are what each key has that does not set its own. Choose another name."));
    const token = btoa(String.fromCharCode(...crypto.getRandomValues(new Uint8Array(32)))).replace(/[+/=]/g, (mark) => ({ "+": "-", "/": "_" })[mark] ?? "");
    const text = `KEY_${name}_TOKEN=sk-relay-${token}\n# KEY_${name}_MODELS=all\n# KEY_${name}_RATE_LIMIT=60/minute\n`;
    fill(place, h("pre", { tabindex: 0, "aria-label": "Lines of the new key" }, text), copyButton(text, "the lines of the new key"));
  };
  const why = "This page shows settings and changes none, on purpose: a stolen session makes no key. Add the lines to the file of the settings, and reload. They are made in this browser and kept nowhere.";
  return h("section", h("h2", "A new key"), h("p.dim", why), form, place);
}

function settingsTable(rows, { find = "", all }) {
  const found = rows.filter((row) => (all || row.changed || find) && `${row.name}=${row.value}`.toLowerCase().includes(find.toLowerCase()));
  const columns = [
    ["Setting", (row) => h(row.changed ? "code" : "code.dim", row.name), "name half"],
    ["Value", (row) => (row.value === "" ? h("span.dim", "unset") : h("code", row.value))],
    ["From", (row) => row.source, "wide dim"],
  ];
  if (!found.length) return h("p.empty", find ? "No setting has this text." : "All settings have their defaults.");
  // A caller has a token and a provider a kind, so their names end there.
  const owners = rows.map((row) => /^((?:KEY|PROVIDER)_.+)_(?:TOKEN|KIND)/.exec(row.name)?.[1]).filter(Boolean).sort((one, other) => other.length - one.length);
  const groups = Map.groupBy(found, (row) => owners.find((owner) => row.name.startsWith(`${owner}_`)) ?? "");
  const heading = (owner) => owner.replace(/^KEY_/, "Caller ").replace(/^PROVIDER_/, "Provider ").replace(/ .*/, (name) => name.toLowerCase().replaceAll("_", "-"));
  return [...groups].map(([owner, some]) => [owner && h("h2", heading(owner)), table(columns, some, {})]);
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
