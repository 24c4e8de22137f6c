// The live feed: the machine's load, once a second, as numbers and as charts.

import { Chart } from "./chart.js";
import { $, checkedValue, el } from "./dom.js";
import { clock } from "./format.js";
import { Link } from "./link.js";
import { Banner, showState } from "./status.js";

/** Fifteen minutes, the longest span the page offers. */
const MOST_READINGS = 900;
const TABLE_ROWS = 10;
const STALE_MS = 3500;

const percent = (n) => `${n.toFixed(1)} %`;
const load = (n) => n.toFixed(2);

/** The chart's form of a message, or null for one that is not a reading. */
function toReading(data) {
  let message;
  try {
    message = JSON.parse(data);
  } catch {
    return null;
  }
  const [load1, load5, load15] = Array.isArray(message?.load) ? message.load : [];
  const reading = { time: message?.time, cpu: message?.cpu, memory: message?.memory, load1, load5, load15, connections: message?.connections };
  return Object.values(reading).every(Number.isFinite) ? reading : null;
}

export function startFeed() {
  const readings = [];
  let frozen = null;
  let heardAt = 0;
  let strange = false;

  const link = new Link({ keepTrying: true, onChange: update, onMessage: received });
  const banner = new Banner($("feed-banner"), link);
  const target = { path: "/ws/feed", protocols: [] };

  const use = new Chart($("chart-use"), {
    series: [{ key: "cpu", name: "Processor" }, { key: "memory", name: "Memory" }],
    top: 100,
    format: percent,
  });
  const loads = new Chart($("chart-load"), {
    series: [{ key: "load1", name: "1 min" }, { key: "load5", name: "5 min" }, { key: "load15", name: "15 min" }],
    format: load,
  });

  function received(data) {
    heardAt = Date.now();
    const reading = toReading(data);
    strange = reading === null;
    if (reading) {
      readings.push(reading);
      if (readings.length > MOST_READINGS) readings.shift();
    }
    showAge();
    if (!frozen) draw();
  }

  function draw() {
    const shown = frozen ?? readings;
    const span = Number(checkedValue($("span")));
    const latest = shown.at(-1);
    const end = latest?.time ?? 0;
    use.show(shown, span, end);
    loads.show(shown, span, end);
    if (!latest) return;
    $("now-cpu").textContent = latest.cpu.toFixed(1);
    $("now-memory").textContent = latest.memory.toFixed(1);
    $("now-load").textContent = load(latest.load1);
    $("now-connections").textContent = latest.connections.toLocaleString("en");
    $("foot-load").replaceChildren(el("span", {}, `5 min ${load(latest.load5)}`), el("span", {}, `15 min ${load(latest.load15)}`));
    $("gauge-cpu").style.setProperty("--part", `${latest.cpu}%`);
    $("gauge-memory").style.setProperty("--part", `${latest.memory}%`);
    $("readings").replaceChildren(...shown.slice(-TABLE_ROWS).reverse().map((reading) => {
      const cells = [percent(reading.cpu), percent(reading.memory), load(reading.load1), load(reading.load5), load(reading.load15), String(reading.connections)];
      return el("tr", {}, el("th", { scope: "row" }, clock(reading.time * 1000)), ...cells.map((text) => el("td", {}, text)));
    }));
  }

  function update() {
    showState($("feed-state"), link, link.state === "open" ? "Live" : undefined);
    banner.update();
    const active = link.state === "open" || link.state === "connecting";
    $("feed-toggle").textContent = active ? "Disconnect" : "Connect";
    $("feed-toggle").disabled = link.state === "closing";
    if (link.state === "open") heardAt = Date.now();
    showAge();
  }

  function showAge() {
    const silent = Date.now() - heardAt;
    let text = "";
    if (link.state === "open") {
      if (strange) text = "The last message was not a reading.";
      else if (silent > STALE_MS) text = `Silent for ${Math.floor(silent / 1000)} s.`;
      else if (!readings.length) text = "Waiting for the first.";
      else if (frozen) text = "Paused; readings are still collected.";
      else text = `Last at ${clock(readings.at(-1).time * 1000)}.`;
    }
    $("feed-age").textContent = text;
  }
  setInterval(showAge, 1000);

  $("span").addEventListener("change", draw);
  $("pause").addEventListener("click", () => {
    frozen = frozen ? null : readings.slice();
    $("pause").setAttribute("aria-pressed", String(frozen !== null));
    $("pause").textContent = frozen ? "Resume" : "Pause";
    showAge();
    draw();
  });
  $("feed-toggle").addEventListener("click", () => {
    if ($("feed-toggle").textContent === "Connect") link.open(target);
    else link.close();
  });
  draw();

  return {
    /** The first look at the section connects; after that the person decides. */
    shown() {
      if (link.state === "idle") link.open(target);
      draw();
    },
  };
}
