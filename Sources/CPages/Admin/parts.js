// Parts of several views: heads, forms, tables, messages.

const main = find("#main");
const said = find("#said");
// The caller whose requests a limit counts, or the callers.
const whose = (row) => row.caller ?? (row.group ? `group ${row.group}` : "all callers");
const refreshButton = () => h("button", { onclick: refresh, title: "r" }, "Refresh");

/** Begins a view: its name, a place for a few words beside it, and buttons. Returns that place. */
function frame(name, buttons, ...parts) {
  const words = h("span.dim");
  fill(main, h("div.head", h("h1", name), words, h("span.push", buttons)), parts);
  return words;
}

/** Creates the form of a view, whose fields are the view's parameters in the address. */
function formOf(view) {
  const form = find(`#${view}-form`).content.firstElementChild.cloneNode(true);
  const apply = (event) => {
    event.preventDefault();
    const emptied = Object.fromEntries([...form.querySelectorAll("[name]")].map((control) => [control.name, ""]));
    const params = { ...paramsNow(), id: "", before: "", page: "", ...emptied, ...Object.fromEntries(new FormData(form)) };
    // Either a span of time that ends now, or from and to.
    if (event.target.name === "last") params.from = params.to = "";
    if (event.target.matches(".day")) params.last = "";
    if (form.reportValidity()) go(view, params);
  };
  const time = form.querySelector("[data-time]");
  if (time) {
    const fields = find("#time-fields").content.cloneNode(true);
    fields.querySelector("option").textContent = time.dataset.time;
    time.replaceWith(fields);
  }
  form.onsubmit = form.onchange = apply;
  form.addEventListener("focusin", (event) => event.target.list && suggest(event.target));
  return form;
}

/** Offers the names of the last 30 days, the busiest first. */
async function suggest({ name, list }) {
  if (list.childElementCount) return;
  const told = await read("/admin/usage", { by: name, from: addDays(day(Date.now()), -29) }).catch(() => ({ items: [] }));
  const rows = told.items.filter((row) => row[name]).sort((one, other) => other.requests - one.requests);
  fill(list, rows.slice(0, 200).map((row) => h("option", { value: row[name] })));
}

/** Returns the time that a view shows: as the address says, else a usual one. */
const rangeOf = ({ last, from, to }, usual) => (from || to ? { from, to } : { last: last || usual });

/** Writes the parameters of the address into the form. */
function fillForm(form, params) {
  for (const control of form.querySelectorAll("[name]")) {
    const value = params[control.name] ?? "";
    // A link may have a day, or a time in another form.
    if (control.matches(".day")) control.type = { 0: "datetime-local", 10: "date", 16: "datetime-local" }[value.length] ?? "text";
    if (control.type === "checkbox") control.checked = value;
    else if (control.value !== value) control.value = value;
  }
}

/** Says for some seconds what was done. */
function say(text) {
  fill(said, h("p", text));
  clearTimeout(say.timer);
  say.timer = setTimeout(() => fill(said), 6000);
}

/** Asks whether to do something, and returns whether the reader agrees. */
function confirmed(question, act) {
  return new Promise((resolve) => {
    const buttons = [h("button", { value: "no", autofocus: true }, "Cancel"), h("button.danger", { value: "yes" }, act)];
    const dialog = h("dialog.question", { "aria-label": act }, h("p", question), h("form.controls", { method: "dialog" }, buttons));
    dialog.onclose = () => {
      dialog.remove();
      resolve(dialog.returnValue === "yes");
    };
    body.append(dialog);
    dialog.showModal();
  });
}

/** Asks the reader, changes something, says what was done, and shows the view anew. */
async function change(question, act, method, path, done, content, refused) {
  if (!(await confirmed(question, act))) return false;
  try {
    const told = await ask(method, path, { content });
    say(done(told));
    refresh();
    return true;
  } catch (failure) {
    say(failure.message);
    refused?.(failure.problems ?? []);
    return false;
  }
}

/** Rows that are picked on demand, and the buttons that begin it and delete them below a path; `loss` says what goes with them. */
function picker(path, loss) {
  const ids = new Set();
  const remove = (some) => change(`Delete ${some.length === 1 ? "this one" : `these ${some.length}`}? ${loss}`, "Delete", "DELETE", `${path}/bulkDelete/${some}`, () => `Deleted ${some.length}.`);
  const button = h("button.danger", { hidden: true, onclick: () => remove([...ids]) });
  const pick = (id, isPicked) => {
    ids[isPicked ? "add" : "delete"](id);
    button.hidden = !ids.size;
    button.textContent = `Delete ${ids.size} …`;
  };
  const toggle = h("button.act", { "aria-pressed": "false", onclick: () => toggle.setAttribute("aria-pressed", (picks.isOn = !picks.isOn)) || refresh() }, "Select");
  const picks = { isOn: false, buttons: [button, toggle], button, pick, remove, clear: () => [...ids].forEach((id) => pick(id, false)) };
  return picks;
}

/** The order of a table that is sorted by its headings, in the address. */
function sorting(view, params, key) {
  const sort = { key: params.sort || key, down: params.order !== "asc" };
  return { ...sort, by: (next) => go(view, { ...params, page: "", sort: next, order: next === sort.key && sort.down ? "asc" : "" }) };
}

/**
 * Creates a table. A column is `[label, cell(row), classes, key]`: the class `n` aligns numbers, `wide` leaves out on phones, `broad`
 * also on small desks, `name` names the row; it can be sorted by a key.
 */
function table(columns, rows, { empty, sort, picks, foot, caption }) {
  if (!rows.length) return h("p.empty", empty);
  if (!picks?.isOn) picks = null;
  const cell = ([, write, classes = ""], row) => h(/name/.test(classes) ? "th" : "td", { class: classes, scope: /name/.test(classes) && "row" }, write(row));
  const heading = ([label, , classes, key]) => {
    const isSorted = sort && key === sort.key;
    const order = isSorted && (sort.down ? "descending" : "ascending");
    return h("th", { scope: "col", class: classes, "aria-sort": order }, sort && key ? h("button.plain", { onclick: () => sort.by(key) }, label, isSorted && (sort.down ? " ↓" : " ↑")) : label || h("span.unseen", "Actions"));
  };
  const box = (label, onchange) => h("td", h("input", { type: "checkbox", "aria-label": label, onchange }));
  const pickAll = (event) => event.target.closest("table").querySelectorAll("tbody td:first-child input").forEach((one) => one.checked !== event.target.checked && one.click());
  const line = (row) => h("tr", picks && box(`Pick ${row.id}`, (event) => picks.pick(row.id, event.target.checked)), columns.map((column) => cell(column, row)));
  return h(
    "div.scroll",
    { tabindex: caption && "0" },
    h(
      "table",
      caption && h("caption.dim", caption),
      h("thead", h("tr", picks && box("Pick all", pickAll), columns.map(heading))),
      h("tbody", rows.map(line)),
      foot && h("tfoot", h("tr", columns.map((column) => cell(column, foot)))),
    ),
  );
}

/** Creates the list of a thing's facts, without those that are not known. */
function facts(pairs) {
  const known = pairs.filter(([, value]) => value);
  return known.length > 0 && h("dl.facts", known.map(([name, value]) => [h("dt", name), h("dd", value)]));
}

/** Creates the state of a provider or key in words, with its colour. `since` is the beginning of a trouble. */
function state(text, since) {
  const [word, until] = text.split(" until ");
  if (word === "unavailable") return h("span.warn", "last call failed", since && ` ${ago(since)} ago`, ", will be tried");
  const words = { cooldown: "rests", "circuit open": "rests after failures", full: "has no room" };
  return h(`span.${word === "ok" ? "good" : word === "full" ? "warn" : "bad"}`, words[word] ?? word, until && [" until ", time(until)]);
}

/** Writes how long ago a time was: `5 min`. */
function ago(seconds) {
  const passed = Math.max(0, Date.now() / 1000 - seconds);
  return passed < 60 ? `${Math.floor(passed)} s` : passed < 3600 ? `${Math.floor(passed / 60)} min` : `${Math.floor(passed / 3600)} h`;
}

/** Creates an amount of a limit's unit, of which dollars have four significant digits. */
const amountOf = (unit, text) => (unit === "usd" ? costOf(Number(text)) : decimal(text));

/** Writes why something is not used: `401 since 17:41`. */
const why = ({ reason, since, state: text }) => [reason ?? state(text, since), since && [" since ", time(since * 1000)]];

/** Creates a button that copies a text. Browsers let pages copy over TLS, or on this machine, only; elsewhere there is no button. */
function copyButton(text, what) {
  const copied = () => say(`Copied ${what}.`);
  const copy = () => navigator.clipboard.writeText(text).then(copied, () => say("The browser does not let this page copy. Mark the text and copy it."));
  return navigator.clipboard && h("button.small", { "aria-label": `Copy ${what}`, onclick: copy }, "Copy");
}

const link = (text, view, params) => h("a", { href: hashOf(view, params) }, text);
const turn = (text, view, params) => h("a.button", { href: hashOf(view, params) }, text);
const noKey = () => h("span.dim", "no key");
/** Names that are not broken while the window is wide enough. */
const whole = (...text) => h("div.whole", text);
const more = (...text) => h("div.more", text);
const warning = (text, ...actions) => notice("warning", text, actions);
const incomplete = () => warning("The sums are not complete: old records are still being summed, memory keeps no more of them (ADMIN_LOG_ENTRIES), or the query was cut off after a second.");

function duration(milliseconds) {
  if (milliseconds == null) return NONE;
  const seconds = milliseconds / 1000;
  if (seconds < 1) return `${Math.round(milliseconds)} ms`;
  if (seconds < 100) return `${seconds.toFixed(1)} s`;
  return `${Math.floor(seconds / 60)} min ${Math.floor(seconds % 60)} s`;
}

/** Writes a time of sums, which know none above three minutes. */
const LONGEST = 18e4;
const summedTime = (milliseconds) => (milliseconds >= LONGEST ? "> 3 min" : duration(milliseconds));

function size(bytes) {
  const unit = bytes < 1e3 ? 0 : bytes < 1e6 ? 1 : 2;
  return `${(bytes / 1000 ** unit).toFixed(unit && 1)} ${["B", "kB", "MB"][unit]}`;
}

const addDays = (text, days) => new Date(Date.parse(text) + days * 864e5).toISOString().slice(0, 10);
