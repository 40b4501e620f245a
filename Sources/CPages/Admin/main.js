// The view that the address names: `#/requests?status=failed`.

const VIEWS = {
  overview: overviewView,
  requests: requestsView,
  usage: usageView,
  keys: keysView,
  limits: limitsView,
  providers: providersView,
  cache: cacheView,
  settings: settingsView,
  clients: clientsView,
};

let [view, viewName, reading] = [null, "", null];

const paramsNow = () => Object.fromEntries(new URLSearchParams(location.hash.split("?")[1]));
const hashOf = (name, params) => `#${address(`/${name}`, params)}`;

function go(name, params) {
  location.hash = hashOf(name, params);
}

function leaveView() {
  reading?.abort();
  view?.leave?.();
  fill(said);
  [view, viewName] = [null, ""];
}

/** Shows the view that the address names, and leaves the old one if it is another. */
function showView() {
  if (!body.dataset.user) return;
  const name = location.hash.slice(2).split("?")[0];
  const next = Object.hasOwn(VIEWS, name) ? name : "overview";
  const isMove = next === viewName;
  if (!isMove) {
    leaveView();
    viewName = next;
    for (const one of document.querySelectorAll("nav a")) {
      one.ariaCurrent = one.hash === `#/${next}` ? "page" : null;
      // On phones the menu is wider than the window.
      if (one.ariaCurrent) one.scrollIntoView({ block: "nearest", inline: "center" });
    }
    view = VIEWS[next]();
    scrollTo(0, 0);
  }
  refresh(isMove);
}

/** Reads the data of the view anew; what was shown stays until then. `isMove`: only parameters in the address changed. */
async function refresh(isMove) {
  reading?.abort();
  const own = (reading = new AbortController());
  main.setAttribute("aria-busy", "true");
  try {
    await view?.update(paramsNow(), own.signal, isMove === true);
    if (own === reading) find(".failure")?.remove();
  } catch (failure) {
    if (failure.name === "AbortError" || !body.dataset.user || own !== reading) return;
    if (!("status" in failure)) console.error(failure);
    const text = "status" in failure ? failure.message : "The page cannot show this response; the browser's console says why. Load the page anew.";
    find(".failure")?.remove();
    main.firstChild.after(h("div.failure", notice("error", text, h("button", { onclick: refresh }, "Try again"))));
  } finally {
    if (own === reading) main.removeAttribute("aria-busy");
  }
}

/** Moves the focus to the next or previous row: to what opens it, or the first control in it. */
function moveInRows(step) {
  const rows = [...main.querySelectorAll("tbody tr")].filter((row) => row.querySelector("a, button, summary"));
  const now = rows.findIndex((row) => row.contains(document.activeElement));
  const next = rows[now < 0 ? 0 : Math.min(rows.length - 1, Math.max(0, now + step))];
  next?.querySelector("a, button, summary").focus();
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || !body.dataset.user || find("dialog")) return;
  const isTyping = event.target.matches("input:not([type=checkbox]), select");
  if (event.key === "Escape" && isTyping) event.target.blur();
  const acts = { "/": () => find("[type=search]")?.focus(), j: () => moveInRows(1), k: () => moveInRows(-1), r: refresh };
  if (isTyping || !acts[event.key]) return;
  event.preventDefault();
  acts[event.key]();
});

find(".brand").textContent = find("#login h1").textContent = document.title;
find("#instance").textContent = body.dataset.instance;
addEventListener("hashchange", showView);
if (!body.dataset.user) loginForm.password.focus();
showView();
