// Why there is no connection: one question to the server's address, and what came back in words a viewer can act on.
//
// It decides nothing about trying again, and draws one bar. `connection.js` asks it, `main.js` shows what it says.

import { el, setText } from "./dom.js";

const PROBE_TIMEOUT = 5000;
const AGAIN = "It is tried again, ever more slowly, and the page goes on by itself once it gets through.";

/**
 * Asks the engine's address for a transport that no server has, so a healthy one opens no session and answers 400.
 * A redirect is not followed: it may lead to another origin, and that it is one says enough.
 */
export async function probe(path) {
  try {
    const answer = await fetch(`${path}?EIO=4&transport=probe`, { redirect: "manual", cache: "no-store", signal: AbortSignal.timeout(PROBE_TIMEOUT) });
    if (answer.type === "opaqueredirect") return { kind: "redirect" };
    const text = await answer.text();
    const isHtml = /^text\/html/i.test(answer.headers.get("content-type") ?? "") || /^\s*</.test(text);
    return { kind: "answer", status: answer.status, isHtml, code: isHtml ? undefined : parsed(text)?.code };
  } catch {
    return { kind: "silent" };
  }
}

/** What a probe found, as `{code, message, hint, offer}`; null when nothing answered, or when the engine did as it should. */
export function explain({ kind, status, isHtml, code }) {
  if (kind === "silent") return null;
  if (kind === "redirect") return login("redirect", "A redirect came back in place of data: most likely to a login page.");
  if (code === 0) return null;
  if (code !== undefined) return otherVersion();
  if (status === 401 || status === 403) return login(String(status), `${status} came back in place of data: a proxy in front wants a sign-in.`);
  if (status < 300 && isHtml) return login("html", "A web page came back in place of data: most likely a login page.");
  if (status === 404) return trouble("404", "404 came back: there is no Socket.IO server at this address.", "See whether the proxy in front hands on the path socket.io/ as well.");
  if (status >= 500) return trouble(String(status), `${status} came back: the server behind the proxy is away or starting.`, AGAIN);
  return trouble(String(status), `${status} came back in place of data.`, AGAIN);
}

/** The engine, or what stands in its place, speaks another protocol than this page. */
export function otherVersion() {
  return trouble("version", "The server is of another version than this page.", "Reload to get the page that fits it; if that does not help, it is another program that answers here.");
}

/** The server is there and refuses the namespace; most often it is another program, which has none for the page. */
export function refused(message) {
  if (message !== "Invalid namespace") return trouble("refused", `The server refused this page: ${message}.`, AGAIN);
  return trouble("namespace", "The server is there and has no namespace for this page.", "Another Socket.IO program may answer at this address; see which one, and its port.");
}

/** An answer that never came, on a connection that stands. */
export function noBoards() {
  return trouble("boards", "Connected, and the server does not know this page's events.", "Another Socket.IO program, or another version of Erlen Live, answers here. Reload to get the page that fits it.");
}

function login(code, message) {
  return { code, message, hint: `Sign in again. ${AGAIN}`, offer: "Sign in" };
}

function trouble(code, message, hint) {
  return { code, message, hint, offer: "Reload" };
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** The bar that says it. Its button loads the page anew, which is also what leads a browser to a proxy's login page. */
export class TroubleBar {
  constructor(element) {
    this.element = element;
    this.message = el("strong");
    this.hint = el("span");
    this.button = el("button", { class: "button", type: "button", onclick: () => location.reload() });
    element.append(el("p", {}, this.message, " ", this.hint), this.button);
  }

  draw(found) {
    this.element.toggleAttribute("hidden", !found);
    if (!found) return;
    this.element.dataset.code = found.code;
    setText(this.message, found.message);
    setText(this.hint, found.hint);
    setText(this.button, found.offer);
  }
}
