// Clients: what to paste into programs of a caller.

function clientsView() {
  const [list, notes] = [h("div.stale"), h("p.dim")];
  const form = formOf("clients");
  const { caller: callers, model: models } = form.elements;
  // Another caller may use other models.
  callers.onchange = () => fill(models);
  frame("Clients", [], form, notes, list);
  const names = { anonymous: "without a key", passthrough: "with a key of the vendor's" };
  const keys = { anonymous: "has any word: no key is needed", passthrough: "has the vendor's key" };
  return {
    async update(params, signal) {
      const [kind, key] = (params.caller ?? "").split(":");
      const told = await read("/admin/clients", { kind, key, model: params.model }, signal);
      const value = (caller) => `${caller.kind}:${caller.key ?? ""}`;
      fill(callers, told.callers.map((caller) => h("option", { value: value(caller) }, caller.key ?? names[caller.kind])));
      fill(models, told.models.map((model) => h("option", { value: model }, model)));
      fillForm(form, { caller: value(told), model: told.model ?? "" });
      fill(notes, "The variable ", h("code", "RELAY_KEY"), ` ${keys[told.kind] ?? `has a token of the key ${told.key}, which is not shown here`}. The address is ${told.address}.`);
      fill(list, told.items.length ? told.items.map(clientSection) : h("p.empty", "This caller may use no model. KEY_<NAME>_MODELS gives it some."));
    },
  };
}

function clientSection({ name, place, text }) {
  const head = h("div.head", h("h2", name), h("span.dim", place), h("span.push", copyButton(text, `the settings for ${name}`)));
  return h("section", head, h("pre", { tabindex: 0, "aria-label": name }, text));
}
