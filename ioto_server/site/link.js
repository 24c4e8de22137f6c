// One WebSocket that a person holds: dial, close, say why it ended, try again with back-off.

import { describe } from "./close-codes.js";

/** Seconds between tries; the last repeats. Spread by up to a fifth, so that many pages do not return at once. */
const BACK_OFF = [1, 2, 4, 8, 16, 30];
/** A connection that held this long starts the back-off anew. */
const SETTLED_MS = 10_000;
const PROBE_MS = 5_000;
const MOST_EXPLAINED = 300;
/** Closed by the server or the network in a way that a new try can mend. */
const MENDABLE = new Set([1001, 1006, 1012, 1013]);

/** The ws: or wss: address of a path on the server that this page came from. */
export function socketUrl(path) {
  const url = new URL(path, location.origin);
  url.protocol = location.protocol === "https:" ? "wss:" : "ws:";
  url.hash = "";
  return url.href;
}

/**
 * Why a handshake failed. A browser tells a page nothing about it (1006 for everything), so the same
 * path is asked by plain HTTP: that shows whether the server is there and what answers.
 */
async function probe(path) {
  const abort = new AbortController();
  const timer = setTimeout(() => abort.abort(), PROBE_MS);
  try {
    const response = await fetch(path, { cache: "no-store", redirect: "manual", signal: abort.signal });
    return { reachable: true, status: response.status, text: await firstLine(response) };
  } catch {
    return { reachable: false, status: 0, text: "" };
  } finally {
    clearTimeout(timer);
    abort.abort();
  }
}

/** What a refusal says for itself, if it is a plain text. A body without end is not read on. */
async function firstLine(response) {
  if (response.ok || !response.body || !response.headers.get("content-type")?.startsWith("text/plain")) return "";
  const { value } = await response.body.getReader().read();
  return new TextDecoder().decode(value?.subarray(0, MOST_EXPLAINED)).split("\n")[0].trim();
}

/**
 * state: "idle" | "connecting" | "open" | "closing" | "waiting" (for the next try) | "closed"
 * `end` is set when a connection has ended: {code, reason, clean, opened, byUs, probe?, error?}.
 */
export class Link {
  state = "idle";
  target = null;
  end = null;
  openedAt = 0;
  retryAt = 0;
  tries = 0;
  #socket = null;
  #byUs = false;
  #reason = "";
  #dialNext = false;
  #timer = 0;
  #keepTrying;
  #initialKeepTrying;
  #hooks;

  /** hooks: {onChange(link), onMessage(data), onEnd(end)}; keepTrying: reconnect without being asked. */
  constructor({ keepTrying = false, ...hooks }) {
    this.#keepTrying = keepTrying;
    this.#initialKeepTrying = keepTrying;
    this.#hooks = hooks;
    addEventListener("online", () => this.state === "waiting" && this.retry());
  }

  get protocol() {
    return this.#socket?.protocol ?? "";
  }

  get buffered() {
    return this.#socket?.bufferedAmount ?? 0;
  }

  /** Whether a further try makes sense: the server is gone or busy, and nobody asked for the end. */
  get mendable() {
    if (!this.end || this.end.byUs) return false;
    if (this.end.opened) return MENDABLE.has(this.end.code);
    return Boolean(this.end.probe) && (!this.end.probe.reachable || this.end.probe.status === 503);
  }

  /** Connects to {path, protocols}. An open connection is closed first, with 1000. */
  open(target) {
    this.target = target;
    this.tries = 0;
    this.#keepTrying = this.#initialKeepTrying;
    this.#redial();
  }

  /** Tries the same target again at once. */
  retry() {
    this.#redial();
  }

  /** Goes on trying until it works. */
  keepTrying() {
    this.#keepTrying = true;
    this.tries = 0;
    this.#schedule();
  }

  send(data) {
    this.#socket.send(data);
  }

  /** Ends the connection, or the tries for one. Throws what WebSocket.close throws for a bad code or reason. */
  close(code = 1000, reason = "") {
    if (this.state === "waiting") {
      clearTimeout(this.#timer);
      this.#become("closed");
      return;
    }
    if (!this.#socket) return;
    this.#socket.close(code, reason);
    this.#byUs = true;
    this.#reason = reason;
    this.#dialNext = false;
    this.#become("closing");
  }

  #redial() {
    clearTimeout(this.#timer);
    if (!this.#socket) {
      this.#dial();
      return;
    }
    if (this.state !== "closing") {
      this.#socket.close(1000);
      this.#byUs = true;
      this.#become("closing");
    }
    this.#dialNext = true;
  }

  #dial() {
    let socket;
    this.end = null;
    this.#byUs = false;
    this.#reason = "";
    try {
      socket = new WebSocket(socketUrl(this.target.path), this.target.protocols);
    } catch (error) {
      this.#finish({ code: 1006, reason: "", clean: false, opened: false, byUs: false, error: error.message });
      return;
    }
    socket.binaryType = "arraybuffer";
    this.#socket = socket;
    let opened = false;
    socket.onopen = () => {
      opened = true;
      this.openedAt = Date.now();
      // Asked to close while the handshake was under way: the state stays "closing".
      if (this.state === "connecting") this.#become("open");
    };
    socket.onmessage = (event) => this.#hooks.onMessage?.(event.data);
    socket.onclose = async (event) => {
      // The answer to our Close repeats its code, but need not repeat its reason (RFC 6455 section 5.5.1).
      const reason = event.reason || this.#reason;
      const end = { code: event.code, reason, clean: event.wasClean, opened, byUs: this.#byUs };
      if (!opened && !this.#byUs) {
        end.probe = await probe(this.target.path);
        end.byUs = this.#byUs;
      }
      if (opened && Date.now() - this.openedAt > SETTLED_MS) this.tries = 0;
      this.#finish(end);
    };
    this.#become("connecting");
  }

  #finish(end) {
    this.#socket = null;
    this.end = end;
    this.#hooks.onEnd?.(end);
    if (this.#dialNext) {
      this.#dialNext = false;
      this.#dial();
    } else if (this.#keepTrying && this.mendable) {
      this.#schedule();
    } else {
      this.#become("closed");
    }
  }

  #schedule() {
    const seconds = BACK_OFF[Math.min(this.tries, BACK_OFF.length - 1)] * (0.8 + 0.4 * Math.random());
    this.tries += 1;
    this.retryAt = Date.now() + seconds * 1000;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#dial(), seconds * 1000);
    this.#become("waiting");
  }

  #become(state) {
    this.state = state;
    this.#hooks.onChange?.(this);
  }
}

/** {title, text} of an ended link for the person in front of it. */
export function explainEnd(link) {
  const { end, target } = link;
  const path = target.path.split("?")[0];
  if (end.error) return { title: "Not a possible connection", text: end.error };
  if (!end.opened && !end.byUs) return explainRefusal(end.probe, path, target.protocols);
  const { name, meaning } = describe(end.code);
  const reason = end.reason ? ` Reason given: “${end.reason}”.` : "";
  if (end.code === 1006) {
    return { title: "The server is gone", text: "The connection broke off without a Close frame (1006)." };
  }
  return { title: `Closed: ${end.code} ${name}`, text: `${meaning}${reason}` };
}

function explainRefusal({ reachable, status, text }, path, protocols) {
  if (!reachable) {
    return { title: "The server does not answer", text: `Nothing listens at ${location.host}. Is ioto-server running?` };
  }
  const title = "The handshake was refused";
  const offered = protocols.length ? `the sub-protocol “${protocols.join(", ")}”` : "the missing sub-protocol";
  if (status === 426) {
    return { title, text: `${path} is a WebSocket action, but it did not take this handshake: check ${offered} and webSockets.origins.` };
  }
  if (status === 404) return { title, text: `Nothing is bound to ${path} (404). ioto-server routes prints what is.` };
  if (status === 503) return { title, text: "The server is full (503): limits.connections is reached." };
  if (status >= 200 && status < 300) return { title, text: `${path} answers plain HTTP (${status}), but takes no WebSocket like this one.` };
  return { title, text: `Asked by plain HTTP, ${path} answers ${status || "with a redirect"}${text && `: ${text}`}` };
}
