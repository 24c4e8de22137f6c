// Measures messages to the echo and back. Its own short connection, so that the console's log stays the person's.

import { closeText } from "./close-codes.js";
import { $, el } from "./dom.js";
import { socketUrl } from "./link.js";

const PATH = "/ws/echo";
const ROUNDS = 20;
const PATIENCE_MS = 5000;

/** Milliseconds of ROUNDS echoes, one after the other. Rejects with a sentence. */
function measure() {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(socketUrl(PATH));
    const times = [];
    let expected = "";
    let sentAt = 0;
    let timer = 0;
    const fail = (text) => {
      clearTimeout(timer);
      reject(new Error(text));
      socket.close();
    };
    const next = () => {
      clearTimeout(timer);
      timer = setTimeout(() => fail(`No echo within ${PATIENCE_MS / 1000} s.`), PATIENCE_MS);
      expected = `round trip ${times.length + 1}`;
      sentAt = performance.now();
      socket.send(expected);
    };
    timer = setTimeout(() => fail(`${PATH} did not open within ${PATIENCE_MS / 1000} s.`), PATIENCE_MS);
    socket.onopen = next;
    socket.onmessage = ({ data }) => {
      const elapsed = performance.now() - sentAt;
      if (data !== expected) return;
      times.push(elapsed);
      if (times.length < ROUNDS) {
        next();
        return;
      }
      clearTimeout(timer);
      socket.close(1000);
      resolve(times);
    };
    socket.onclose = ({ code }) => fail(times.length ? `Closed: ${closeText(code)}.` : `${PATH} cannot be opened: is the server running?`);
  });
}

const ms = (value) => (value < 10 ? value.toFixed(2) : value.toFixed(1));

export function startRoundTrip() {
  const button = $("trip-measure");
  const bars = Array.from({ length: ROUNDS }, () => el("span"));
  $("trip-bars").append(...bars);

  button.addEventListener("click", async () => {
    button.disabled = true;
    try {
      const times = await measure();
      const sorted = times.toSorted((a, b) => a - b);
      const median = (sorted[ROUNDS / 2 - 1] + sorted[ROUNDS / 2]) / 2;
      const most = sorted.at(-1);
      // Through the CSSOM: the policy forbids style attributes, not this.
      bars.forEach((bar, i) => bar.style.setProperty("--height", `${Math.max(4, (100 * times[i]) / most)}%`));
      $("trip-result").replaceChildren(
        el("b", {}, `${ms(median)} ms`),
        el("span", {}, ` median, ${ms(sorted[0])} to ${ms(most)} ms`),
      );
      $("trip").dataset.state = "measured";
    } catch (error) {
      $("trip-result").replaceChildren(el("span", { class: "bad" }, error.message));
      $("trip").dataset.state = "failed";
    } finally {
      button.disabled = false;
    }
  });
}
