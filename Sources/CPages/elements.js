// Elements, numbers and times, for all pages.

const body = document.body;
const find = (selector) => document.querySelector(selector);

/** Returns the text with control characters and marks of direction made visible. */
function shown(value) {
  return String(value).replace(/[^\P{C}\n\t]|[\u2028\u2029]/gu, (mark) => `<U+${mark.codePointAt(0).toString(16).padStart(4, "0")}>`);
}

/** Appends children, of which texts become text nodes. Null, undefined, false and 0 are left out, so `amount && node` may be a child; `count` writes numbers. */
function append(element, children) {
  for (const child of children.flat(9)) if (child) element.append(child instanceof Node ? child : shown(child));
  return element;
}

/** Sets attributes, listeners (`onclick`) and properties of style: `{ style: { width: "2px" } }`. */
function dress(element, attributes) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "style") for (const property in value) element.style.setProperty(property, value[property]);
    else if (value || value === 0 || value === "") element.setAttribute(name, value === true ? "" : shown(value));
  }
  return element;
}

/** Creates an element, perhaps with classes and attributes: `h("td.n", { title: "all" }, "12")`. */
function h(name, ...children) {
  const [tag, ...classes] = name.split(".");
  const element = document.createElement(tag);
  if (classes.length) element.className = classes.join(" ");
  if (children[0]?.constructor === Object) dress(element, children.shift());
  return append(element, children);
}

/** Replaces the children of an element. */
function fill(element, ...children) {
  element.replaceChildren();
  return append(element, children);
}

// Numbers.

const NONE = "–";

const count = (number) => number == null ? NONE : number.toLocaleString("en", { maximumFractionDigits: 0 });

/** Returns the decimals of a number: `1e-7` has seven. */
function decimals(number) {
  const [digits, exponent] = String(number ?? 0).split("e");
  return Math.max(0, (digits.split(".")[1]?.length ?? 0) - Number(exponent ?? 0));
}

/** Writes dollars to the last digit, but at least cents. */
const money = (cost) => (cost == null ? NONE : `$${decimal(cost.toFixed(Math.min(20, Math.max(2, decimals(cost)))))}`);

/** Writes dollars with four significant digits, but at least cents. */
function dollars(cost) {
  const places = Math.max(2, 3 - Math.floor(Math.log10(cost || 1)));
  return `$${decimal(cost.toFixed(Math.min(20, places)).replace(/(\.\d\d+?)0+$/, "$1"))}`;
}

/** Creates a cost, whose title has all digits; `unpriced` of what was summed has no price. */
function costOf(cost, unpriced) {
  return cost == null ? NONE : h("span", { title: money(cost) }, unpriced && "≥ ", dollars(cost));
}

/** Groups the digits of a decimal text. */
function decimal(text) {
  const [whole, part] = String(text).split(".");
  return whole.replace(/\B(?=(\d{3})+$)/g, ",") + (part ? `.${part}` : "");
}

// Times, in the zone of the relay's days.

let zone = body.dataset.zone;

function clock(options) {
  try {
    return new Intl.DateTimeFormat("sv-SE", { timeZone: zone, ...options });
  } catch {
    // The relay's database has a zone that this browser's has not.
    zone = "UTC";
    return clock(options);
  }
}

const dayClock = clock({ dateStyle: "short" });
const timeClock = clock({ timeStyle: "medium" });

/** Returns the day of a time as `2026-01-31`. */
const day = (time) => dayClock.format(time);

/** Writes a day as `Jan 31`, of another year as `Jan 31, 2025`. */
function dayName(text) {
  const year = text.slice(0, 4) === day(Date.now()).slice(0, 4) ? undefined : "numeric";
  const name = new Date(text).toLocaleDateString("en-US", { timeZone: "UTC", month: "short", day: "numeric", year });
  return name.replaceAll(" ", "\u00a0");
}

/** Creates a time: the clock alone if it is of today, with all of it as its title. */
function time(value) {
  const date = new Date(value);
  if (!+date) return NONE;
  const [itsDay, itsTime] = [day(date), timeClock.format(date)];
  const isToday = itsDay === day(Date.now());
  return h("time", { datetime: date.toISOString(), title: `${itsDay} ${itsTime} ${zone ?? ""}` }, !isToday && h("span.dim", dayName(itsDay), " "), itsTime);
}

/** Creates a bar that shows which part of a limit is used; texts beside it say the numbers. */
function bar({ used, left }) {
  const part = share({ used, left });
  return h(`span.bar${part >= 0.95 ? ".full" : part >= 0.8 ? ".near" : ""}`, { "aria-hidden": "true" }, h("span", { style: { width: `${part * 100}%` } }));
}

/** Returns the part of a limit that is used, from 0 to 1. */
const share = ({ used, left }) => Math.min(1, used / (Number(used) + Number(left)) || 0);

/** Creates a message, with what can be done about it. */
function notice(kind, text, ...actions) {
  return h(`div.notice.${kind}`, { role: kind === "error" ? "alert" : "status" }, h("p", text), actions);
}
