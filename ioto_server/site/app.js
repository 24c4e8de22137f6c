// Puts the sections together: tabs, the address, and who is told when it comes to the front.

import { startChat } from "./chat.js";
import { startConsole } from "./console.js";
import { $ } from "./dom.js";
import { startFeed } from "./feed.js";
import { startRoundTrip } from "./round-trip.js";

const NAMES = ["console", "chat", "feed"];
let current = "console";

$("host").textContent = location.host;
startConsole();
startRoundTrip();
const sections = {
  chat: startChat({ isVisible: () => current === "chat" }),
  feed: startFeed(),
};

function select(name) {
  current = name;
  for (const each of NAMES) {
    const selected = each === name;
    $(`tab-${each}`).setAttribute("aria-selected", String(selected));
    $(`tab-${each}`).tabIndex = selected ? 0 : -1;
    $(`panel-${each}`).hidden = !selected;
  }
  sections[name]?.shown();
}

function fragment() {
  try {
    return location.hash.slice(1).split("/").map(decodeURIComponent);
  } catch {
    return []; // a broken percent-encoding
  }
}

/** #chat/lobby: the section, and for the chat a room. Anything else, hand-typed nonsense too, is the console. */
function follow() {
  const [name, room] = fragment();
  if (!NAMES.includes(name)) {
    select("console");
    return;
  }
  if (name === "chat" && room) sections.chat.propose(room);
  select(name);
}

for (const name of NAMES) {
  $(`tab-${name}`).addEventListener("click", () => {
    // Replaced, not pushed: "back" leaves the page instead of walking through tabs.
    history.replaceState(null, "", `#${name}`);
    select(name);
  });
}
document.querySelector("[role=tablist]").addEventListener("keydown", (event) => {
  const at = NAMES.indexOf(current);
  const next = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: NAMES.length - 1 }[event.key];
  if (next === undefined) return;
  event.preventDefault();
  const tab = $(`tab-${NAMES[(next + NAMES.length) % NAMES.length]}`);
  tab.focus();
  tab.click();
});
addEventListener("hashchange", follow);
follow();
