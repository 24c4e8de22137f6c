// The bounded list of messages: one row each, newest last, at most 500 rows.

import { $, el } from "./dom.js";
import { bytes, clock, hexDump, parseJson, plural, utf8Length } from "./format.js";

const MOST_ROWS = 500;
/** Of a longer message only this much is kept, so that 500 rows cannot fill the memory. */
const MOST_KEPT = 64 * 1024;
const FOLDED_CHARACTERS = 480;
const FOLDED_LINES = 6;
const STICKY_PX = 24;
/** A line of sixteen bytes is wider than a narrower list has room for. */
const NARROW_PX = 800;

const JSON_TOKEN = /("(?:\\.|[^"\\])*")(\s*:)?|\b(true|false|null)\b|(-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)/g;

/** Pretty-printed JSON as nodes, its tokens wrapped for colour. */
function jsonNodes(text) {
  const nodes = [];
  let at = 0;
  for (const match of text.matchAll(JSON_TOKEN)) {
    nodes.push(text.slice(at, match.index));
    const [token, string, colon, word] = match;
    const kind = string ? (colon ? "key" : "string") : word ? "word" : "number";
    nodes.push(el("span", { class: `json-${kind}` }, string ?? token), colon ?? "");
    at = match.index + token.length;
  }
  nodes.push(text.slice(at));
  return nodes;
}

const ARROWS = { in: ["↓", "received"], out: ["↑", "sent"], note: ["·", "note"], bad: ["!", "problem"] };

export class Log {
  #list;
  #queue = [];
  #frame = 0;
  #removed = 0;
  #unseen = 0;
  #pretty = false;
  #stuck = true;
  #lastTop = 0;

  constructor() {
    this.#list = $("log");
    this.#list.addEventListener("scroll", () => {
      // Only a person scrolling up lets go of the end; a frame that shrinks under the list does not.
      const { scrollTop } = this.#list;
      if (this.#atEnd()) {
        this.#stuck = true;
        this.#seen();
      } else if (scrollTop < this.#lastTop) {
        this.#stuck = false;
      }
      this.#lastTop = scrollTop;
    }, { passive: true });
    $("follow").addEventListener("click", () => this.#toEnd());
    $("clear").addEventListener("click", () => this.clear());
    $("log-show").addEventListener("change", (event) => {
      this.#list.dataset.show = event.target.value;
      if (this.#stuck) this.#toEnd();
    });
    $("pretty").addEventListener("change", (event) => {
      this.#pretty = event.target.checked;
      for (const row of this.#list.children) row.setPretty?.(this.#pretty);
      if (this.#stuck) this.#toEnd();
    });
    new ResizeObserver(() => this.#stuck && this.#toEnd()).observe(this.#list);
  }

  /** direction: "in" or "out"; data: string, Uint8Array or Blob (its first bytes are shown when read). */
  async message(direction, data) {
    const time = Date.now();
    if (data instanceof Blob) {
      const head = new Uint8Array(await data.slice(0, MOST_KEPT).arrayBuffer());
      this.#add({ direction, time, kind: "binary", size: data.size, data: head });
    } else if (typeof data === "string") {
      this.#add({ direction, time, kind: "text", size: utf8Length(data), data: data.slice(0, MOST_KEPT), cut: data.length > MOST_KEPT });
    } else {
      this.#add({ direction, time, kind: "binary", size: data.length, data: data.slice(0, MOST_KEPT) });
    }
  }

  /** A line of the page's own: opened, closed, failed. */
  note(text, direction = "note") {
    this.#add({ direction, time: Date.now(), text });
  }

  clear() {
    this.#queue = [];
    this.#removed = 0;
    this.#list.replaceChildren();
    this.#stuck = true;
    this.#seen();
    this.#showCount();
  }

  #add(entry) {
    this.#queue.push(entry);
    if (this.#queue.length > MOST_ROWS) {
      this.#queue.shift();
      this.#removed += 1;
    }
    // One layout a frame, however many messages came; a hidden page has no frames and only queues.
    this.#frame ||= requestAnimationFrame(() => this.#flush());
  }

  #flush() {
    this.#frame = 0;
    const rows = this.#queue.map((entry) => this.#row(entry));
    this.#queue = [];
    this.#list.append(...rows);
    while (this.#list.childElementCount > MOST_ROWS) {
      this.#list.firstElementChild.remove();
      this.#removed += 1;
    }
    if (this.#stuck) {
      this.#toEnd();
    } else {
      this.#unseen += rows.length;
      $("follow").textContent = `↓ ${plural(this.#unseen, "new row")}`;
      $("follow").hidden = false;
    }
    this.#showCount();
  }

  #row(entry) {
    const [arrow, word] = ARROWS[entry.direction];
    const row = el("li", { class: `row ${entry.direction}` });
    row.append(
      el("span", { class: `arrow ${entry.direction}`, "aria-hidden": "true" }, arrow),
      el("span", { class: "sr" }, word),
      el("time", { dateTime: new Date(entry.time).toISOString() }, clock(entry.time, { millis: true })),
    );
    if (entry.text !== undefined) {
      row.append(el("p", { class: "body" }, entry.text));
    } else {
      row.append(el("span", { class: "meta" }, el("span", { class: "kind" }, entry.kind), el("span", { class: "size" }, bytes(entry.size))));
      this.#fill(row, entry);
    }
    return row;
  }

  #fill(row, entry) {
    const binary = entry.kind === "binary";
    const plain = binary ? hexDump(entry.data, this.#list.clientWidth < NARROW_PX ? 8 : 16) : entry.data;
    const json = binary || entry.cut ? undefined : parseJson(entry.data);
    const body = el("pre", { class: binary ? "body dump" : "body" });
    const tools = el("span", { class: "tools" });
    const fold = el("button", { type: "button", class: "fold" });
    const pretty = el("button", { type: "button", title: "Pretty-print this JSON" }, "{ }");
    pretty.setAttribute("aria-label", "Pretty-print this JSON");
    let folded = true;

    const show = (asJson) => {
      pretty.setAttribute("aria-pressed", String(asJson));
      const text = asJson ? JSON.stringify(json, null, 2) : plain;
      const long = text.length > FOLDED_CHARACTERS || text.split("\n", FOLDED_LINES + 1).length > FOLDED_LINES;
      // A person who asked for pretty JSON wants to see it, not its first six lines.
      const close = long && folded && !asJson;
      body.classList.toggle("folded", close);
      body.classList.toggle("is-empty", text === "");
      const visible = close && !binary ? text.slice(0, 4 * FOLDED_CHARACTERS) : text;
      body.replaceChildren(...(asJson ? jsonNodes(visible) : [visible || "(empty)"]));
      const kept = binary ? entry.data.length < entry.size : entry.cut;
      if (!close && kept) body.append(el("i", { class: "cut" }, `\nThe first ${bytes(MOST_KEPT)} are kept here.`));
      fold.hidden = !long || asJson;
      fold.textContent = folded ? "Show all" : "Fold";
    };
    fold.addEventListener("click", () => {
      folded = !folded;
      show(false);
    });
    if (json !== undefined) {
      pretty.addEventListener("click", () => show(pretty.getAttribute("aria-pressed") !== "true"));
      tools.append(pretty);
      row.setPretty = show;
    }
    // Only where the page is trusted (HTTPS or this machine) do browsers lend the clipboard.
    if (navigator.clipboard) {
      const copy = el("button", { type: "button", title: "Copy this message" }, "Copy");
      copy.addEventListener("click", async () => {
        await navigator.clipboard.writeText(binary ? Array.from(entry.data, (b) => b.toString(16).padStart(2, "0")).join(" ") : entry.data);
        copy.textContent = "Copied";
        setTimeout(() => (copy.textContent = "Copy"), 1200);
      });
      tools.append(copy);
    }
    row.append(el("div", { class: "content" }, body, fold), tools);
    show(json !== undefined && this.#pretty);
  }

  #atEnd() {
    const { scrollTop, scrollHeight, clientHeight } = this.#list;
    return scrollHeight - scrollTop - clientHeight < STICKY_PX;
  }

  #toEnd() {
    this.#list.scrollTop = this.#list.scrollHeight;
    this.#stuck = true;
    this.#seen();
  }

  #seen() {
    this.#unseen = 0;
    $("follow").hidden = true;
  }

  #showCount() {
    const rows = this.#list.childElementCount;
    $("log-empty").hidden = rows > 0;
    $("clear").disabled = rows === 0;
    const older = this.#removed ? `, ${plural(this.#removed, "older one")} dropped` : "";
    $("log-count").textContent = rows ? `${plural(rows, "row")}${older}` : "";
  }
}
