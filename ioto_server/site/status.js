// How a link's state is shown: the dot with its word, and the banner when it is in trouble.

import { closeText } from "./close-codes.js";
import { el } from "./dom.js";
import { explainEnd } from "./link.js";

const WORDS = {
  idle: "Not connected",
  connecting: "Connecting…",
  open: "Open",
  closing: "Closing…",
  waiting: "Waiting to retry",
  closed: "Closed",
};

/** The state in words; a closed link says its code, a refused one that it never opened. */
export function stateText(link) {
  if (link.state !== "closed" || !link.end) return WORDS[link.state];
  if (!link.end.opened) return link.end.byUs ? "Cancelled" : "Refused";
  return `Closed: ${closeText(link.end.code)}`;
}

export function showState(element, link, text = stateText(link)) {
  const failed = link.state === "closed" && link.end && !link.end.byUs && (!link.end.opened || link.end.code !== 1000);
  element.dataset.state = failed ? "failed" : link.state;
  // The same text is not set again: a live region would say it twice.
  if (element.textContent !== text) element.textContent = text;
  element.title = text;
}

/** Says what went wrong with a link and offers the ways on. */
export class Banner {
  #element;
  #link;
  #countdown = el("span", { class: "countdown", "aria-hidden": "true" });
  #shown = "";
  #timer = 0;

  constructor(element, link) {
    this.#element = element;
    this.#link = link;
  }

  update() {
    const { state, end } = this.#link;
    const trouble = end && !end.byUs && end.code !== 1000 && (state === "waiting" || state === "closed");
    if (trouble) this.#show();
    // While a new try is under way the banner stays as it is, so that nothing jumps at every try.
    else if (state !== "connecting" || this.#link.tries === 0) this.#hide();
  }

  #show() {
    const { title, text } = explainEnd(this.#link);
    const waiting = this.#link.state === "waiting";
    this.#element.hidden = false;
    const key = `${title}|${text}|${waiting}`;
    if (key !== this.#shown) {
      this.#shown = key;
      this.#element.replaceChildren(
        el("p", {}, el("b", {}, title), text),
        el("div", { class: "banner-actions" }, this.#countdown, ...this.#buttons(waiting)),
      );
    }
    clearInterval(this.#timer);
    this.#countdown.textContent = "";
    if (waiting) {
      const tick = () => {
        const seconds = Math.max(0, Math.ceil((this.#link.retryAt - Date.now()) / 1000));
        this.#countdown.textContent = `Try ${this.#link.tries} in ${seconds} s`;
      };
      tick();
      this.#timer = setInterval(tick, 250);
    }
  }

  #hide() {
    clearInterval(this.#timer);
    this.#shown = "";
    this.#element.hidden = true;
    this.#element.replaceChildren();
  }

  #buttons(waiting) {
    const button = (text, onclick) => el("button", { type: "button", class: "small", onclick }, text);
    const link = this.#link;
    if (waiting) return [button("Try now", () => link.retry()), button("Stop trying", () => link.close())];
    const now = button("Reconnect", () => link.retry());
    return link.mendable ? [now, button("Keep trying", () => link.keepTrying())] : [now];
  }
}
