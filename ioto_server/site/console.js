// The console: any action, any message, and what comes back.

import { CODES, RANGES, closeText, describe, mayClose } from "./close-codes.js";
import { $, announce, checkedValue, el } from "./dom.js";
import { bytes, duration, parseHex, plural, utf8Length } from "./format.js";
import { Link } from "./link.js";
import { Log } from "./log.js";
import { Banner, showState } from "./status.js";

/** RFC 6455 section 4.1: a sub-protocol is a token of RFC 2616. */
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
/** RFC 6455 section 5.5.1: a Close frame holds 125 bytes, two of them the code. */
const MOST_REASON = 123;
const MOST_REMEMBERED = 50;

const KEYS = el("span", { class: "roomy" }, " · Enter sends, Shift+Enter breaks the line");

export function startConsole() {
  const log = new Log();
  const sent = { messages: 0, bytes: 0 };
  const received = { messages: 0, bytes: 0 };
  const history = [];
  let recalled = 0;

  const link = new Link({
    onChange: update,
    onEnd: ended,
    onMessage(data) {
      const message = typeof data === "string" ? data : new Uint8Array(data);
      const size = count(received, message);
      log.message("in", message);
      announce(typeof message === "string" && message.length < 200 ? `Received: ${message}` : `Received ${bytes(size)}`);
    },
  });
  const banner = new Banner($("console-banner"), link);

  // --- connecting

  const choices = [...document.querySelectorAll("#connect input[name=action]")];
  const own = choices.find((each) => "own" in each.dataset);

  $("connect").addEventListener("change", ({ target }) => {
    if (target.name !== "action") return;
    if (target !== own) {
      $("path").value = target.dataset.path;
      $("protocol").value = target.dataset.protocol;
    }
    checkTarget();
    update();
  });
  // A path typed by hand moves the choice along, so that the two never say different things.
  $("connect").addEventListener("input", ({ target }) => {
    if (target.name !== "path" && target.name !== "protocol") return;
    const same = choices.find((each) => each.dataset.path === $("path").value && each.dataset.protocol === $("protocol").value);
    (same ?? own).checked = true;
    $("path-error").textContent = "";
    target.removeAttribute("aria-invalid");
    update();
  });
  $("connect").addEventListener("submit", (event) => {
    event.preventDefault();
    const target = checkTarget();
    if (target) link.open(target);
  });
  $("disconnect").addEventListener("click", () => link.close());

  function wanted() {
    return {
      path: $("path").value.trim(),
      protocols: $("protocol").value.split(",").map((each) => each.trim()).filter(Boolean),
    };
  }

  /** What the form asks for, or null after showing what is wrong with it. */
  function checkTarget() {
    const target = wanted();
    const badProtocol = target.protocols.find((each) => !TOKEN.test(each));
    let problem = "";
    let field = $("path");
    // "//host" would be another server, and the page's own policy lets it speak to none but this.
    if (!/^\/(?!\/)/.test(target.path)) problem = "A path of this server begins with one /, for example /ws/echo.";
    else if (badProtocol) [problem, field] = [`“${badProtocol}” is no sub-protocol name: no blanks or quotes; separate several by commas.`, $("protocol")];
    else if (new Set(target.protocols).size < target.protocols.length) [problem, field] = ["A sub-protocol can be offered only once.", $("protocol")];
    $("path").removeAttribute("aria-invalid");
    $("protocol").removeAttribute("aria-invalid");
    if (problem) field.setAttribute("aria-invalid", "true");
    $("path-error").textContent = problem;
    return problem ? null : target;
  }

  let lastState = "idle";
  let opener = null;

  function update() {
    const { state } = link;
    showState($("state"), link);
    banner.update();
    const open = state === "open";
    const active = open || state === "connecting" || state === "closing" || state === "waiting";
    const same = link.target && JSON.stringify(link.target) === JSON.stringify(wanted());
    $("connect-button").textContent = !active ? "Connect" : same ? "Reconnect" : "Switch";
    // One loud button at a time: once open, that is Send.
    $("connect-button").classList.toggle("primary", !active || !same);
    $("disconnect").textContent = open || !active ? "Disconnect" : "Cancel";
    $("disconnect").disabled = !active || state === "closing";
    $("close-button").disabled = !open;
    $("send").disabled = !open;
    if (state !== lastState) stateChanged(state);
    lastState = state;
    showNote();
  }

  function stateChanged(state) {
    if (state === "connecting") {
      opener = document.activeElement;
      Object.assign(sent, { messages: 0, bytes: 0 });
      Object.assign(received, { messages: 0, bytes: 0 });
      showTotals();
      $("open-for").textContent = $("chosen-protocol").textContent = "–";
      const offered = link.target.protocols.length ? `, offering ${link.target.protocols.join(", ")}` : "";
      log.note(`Connecting to ${link.target.path}${offered}`);
    }
    if (state === "open") {
      $("chosen-protocol").textContent = link.protocol || "none";
      log.note(`Open${link.protocol ? `, sub-protocol ${link.protocol}` : ""}`);
      // On to typing, but only from the button, and not where that would raise a keyboard over the page.
      if (opener === $("connect-button") && document.activeElement === opener && matchMedia("(pointer: fine)").matches) {
        $("message").focus();
      }
    }
  }

  function ended(end) {
    if (end.opened) {
      const reason = end.reason ? `, “${end.reason}”` : "";
      const who = end.code === 1006 ? "" : end.byUs ? ", asked for here" : ", by the server";
      const text = `Closed: ${closeText(end.code)}${reason}${who}, ${end.clean ? "clean" : "not clean"}`;
      log.note(text, end.byUs || end.code === 1000 ? "note" : "bad");
      announce(text);
    } else if (end.byUs) {
      log.note("Cancelled before it was open");
    } else {
      log.note("Not opened: the handshake failed", "bad");
    }
    $("open-for").textContent = end.opened ? duration(Date.now() - link.openedAt) : "–";
  }

  // --- sending

  $("composer").addEventListener("submit", (event) => {
    event.preventDefault();
    sendMessage();
  });
  $("message").addEventListener("keydown", (event) => {
    if (event.isComposing) return;
    if (event.key === "Enter" && !event.shiftKey) {
      event.preventDefault();
      sendMessage();
    } else if (event.key === "ArrowUp" && recallable()) {
      event.preventDefault();
      recall(recalled - 1);
    } else if (event.key === "ArrowDown" && recalled < history.length && recallable()) {
      event.preventDefault();
      recall(recalled + 1);
    }
  });
  $("message").addEventListener("input", showNote);
  $("mode").addEventListener("change", () => {
    const mode = checkedValue($("mode"));
    $("file-label").hidden = mode !== "file";
    $("message").hidden = mode === "file";
    $("message").placeholder = mode === "hex" ? "00 ff 7f, also 0x00 0xff" : "Type a message";
    showNote();
  });
  $("file").addEventListener("change", () => {
    const file = $("file").files[0];
    $("file-name").textContent = file ? file.name : "Choose a file, or drop one here";
    showNote();
  });
  for (const kind of ["dragover", "drop"]) {
    $("composer").addEventListener(kind, (event) => {
      if (![...event.dataTransfer.types].includes("Files")) return;
      event.preventDefault();
      if (kind === "drop") {
        const mode = document.querySelector("#mode input[value=file]");
        mode.checked = true;
        mode.dispatchEvent(new Event("change", { bubbles: true }));
        $("file").files = event.dataTransfer.files;
        $("file").dispatchEvent(new Event("change"));
      }
    });
  }

  const recallable = () => $("message").value === "" || $("message").value === history[recalled];

  function recall(index) {
    recalled = Math.max(0, Math.min(history.length, index));
    $("message").value = history[recalled] ?? "";
    showNote();
  }

  /** What the composer holds: {data} or {problem}. */
  function composed() {
    const mode = checkedValue($("mode"));
    if (mode === "file") {
      const file = $("file").files[0];
      return file ? { data: file } : { problem: "No file chosen yet." };
    }
    const text = $("message").value;
    if (mode === "text") return { data: text };
    try {
      return { data: parseHex(text) };
    } catch (error) {
      return { problem: error.message };
    }
  }

  const sizeOf = (data) => (typeof data === "string" ? utf8Length(data) : data.size ?? data.length);

  function showNote() {
    const { data, problem } = composed();
    const note = $("composer-note");
    note.classList.toggle("bad", Boolean(problem) && checkedValue($("mode")) === "hex");
    if (problem) note.textContent = problem;
    else if (link.state !== "open") note.textContent = "Connect to send";
    else note.replaceChildren(bytes(sizeOf(data)), ...(data instanceof File ? [] : [KEYS]));
  }

  function sendMessage() {
    const { data, problem } = composed();
    if (problem || link.state !== "open") {
      showNote();
      return;
    }
    link.send(data);
    count(sent, data);
    log.message("out", data);
    if (data instanceof File) return;
    if ($("message").value && history.at(-1) !== $("message").value) {
      history.push($("message").value);
      if (history.length > MOST_REMEMBERED) history.shift();
    }
    recalled = history.length;
    $("message").value = "";
    showNote();
  }

  function count(total, data) {
    const size = sizeOf(data);
    total.messages += 1;
    total.bytes += size;
    showTotals();
    return size;
  }

  function showTotals() {
    const text = ({ messages, bytes: size }) => (messages ? `${messages.toLocaleString("en")} · ${bytes(size)}` : "0");
    $("sent").textContent = text(sent);
    $("received").textContent = text(received);
  }

  setInterval(() => {
    if (link.state !== "open") return;
    $("open-for").textContent = duration(Date.now() - link.openedAt);
    if (link.buffered) $("composer-note").textContent = `${bytes(link.buffered)} still to leave this browser`;
    else if ($("composer-note").textContent.endsWith("this browser")) showNote();
  }, 500);

  // --- closing

  function checkClose() {
    const code = Number($("close-code").value);
    const reason = utf8Length($("close-reason").value);
    const help = $("close-help");
    let problem = "";
    if (!Number.isInteger(code) || !mayClose(code)) problem = "Browsers may send only 1000 and 3000 to 4999.";
    else if (reason > MOST_REASON) problem = `The reason has ${plural(reason, "byte")}; a Close frame holds ${MOST_REASON}.`;
    help.classList.toggle("bad", Boolean(problem));
    help.textContent = problem || `${closeText(code)}. ${describe(code).meaning}`;
    return problem ? null : code;
  }
  $("close").addEventListener("input", checkClose);
  $("close").addEventListener("submit", (event) => {
    event.preventDefault();
    const code = checkClose();
    if (code !== null && link.state === "open") link.close(code, $("close-reason").value);
  });

  for (const [code, name, meaning] of CODES) {
    $("codes").append(el("div", {}, el("dt", {}, el("b", {}, String(code)), ` ${name}`), el("dd", {}, meaning)));
  }
  for (const [first, last, name, meaning] of RANGES) {
    $("codes").append(el("div", {}, el("dt", {}, el("b", {}, `${first}–${last}`), ` ${name}`), el("dd", {}, meaning)));
  }

  showNote();
}
