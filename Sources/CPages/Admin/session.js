// What the page asks the relay for, and who is logged in.

/** Creates the error of a response that is no success; its text is for the reader. */
const failed = (status, message) => Object.assign(new Error(message), { status });

/** Returns the path with the fields that have a value. */
function address(path, fields = {}) {
  const query = new URLSearchParams(Object.entries(fields).filter(([, value]) => value));
  return query.size ? `${path}?${query}` : path;
}

/** Asks the relay, and returns the object that it answers. */
async function ask(method, path, { fields, content, signal } = {}) {
  let response;
  try {
    response = await fetch(address(path, fields), { method, signal, ...(content && { headers: { "Content-Type": "application/json" }, body: JSON.stringify(content) }) });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw failed(0, "The relay cannot be reached. Check that it runs and that you are online, then try again.");
  }
  const told = await response.json().catch(() => null);
  if (response.status === 401 && path !== "/admin/login") endSession();
  isBegun = path === "/admin/login" && response.ok;
  if (response.ok && told) return told;
  const failure = failed(response.status, told?.msg ?? told?.error?.message ?? `The relay answered with status ${response.status}. Its log says why.`);
  throw Object.assign(failure, { problems: told?.errors });
}

const read = (path, fields, signal) => ask("GET", path, { fields, signal });

const loginForm = find("#login");
const refusal = loginForm.querySelector(".refusal");
// Whether the last response began a session, of which nothing has come back yet.
let isBegun = false;

/** Shows the form to log in. What the reader looked at stays in the address, and comes back afterwards. */
function endSession() {
  if (!body.dataset.user) return;
  body.dataset.user = "";
  for (const open of document.querySelectorAll("dialog")) open.remove();
  leaveView();
  refusal.textContent =
    isBegun && location.protocol === "http:"
      ? "The browser did not keep the session. If PUBLIC_URL begins with https, open the page at that address: the session is kept over https only."
      : "The session has ended. Log in again.";
  loginForm.password.focus();
}

loginForm.onsubmit = async (event) => {
  event.preventDefault();
  const content = Object.fromEntries(new FormData(loginForm));
  refusal.textContent = "";
  try {
    const told = await ask("POST", "/admin/login", { content });
    loginForm.reset();
    body.dataset.viewer = told.data.viewer ? "yes" : "";
    body.dataset.user = content.username;
    showView();
  } catch (failure) {
    refusal.textContent = failure.message;
    loginForm.password.select();
  }
};
