// The few DOM shorthands the other modules share.

export const $ = (id) => document.getElementById(id);

/** An element with properties (`class` and `data-*`/`aria-*` as attributes) and children. */
export function el(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name === "class") element.className = value;
    else if (name.includes("-")) element.setAttribute(name, value);
    else element[name] = value;
  }
  element.append(...children);
  return element;
}

export const checkedValue = (fieldset) => fieldset.querySelector("input:checked").value;

// One polite live region for the page. What comes faster than it can be spoken is dropped but for the
// last: a feed must not bury everything else a screen reader has to say.
const PACE_MS = 1500;
let waiting = null;
let timer = 0;

export function announce(text) {
  waiting = text;
  if (timer) return;
  const speak = () => {
    timer = 0;
    if (waiting === null) return;
    $("announcer").textContent = waiting;
    waiting = null;
    timer = setTimeout(speak, PACE_MS);
  };
  speak();
}
