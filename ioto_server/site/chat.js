// The chat: a room, a nickname, and whoever else is there.

import { $, announce, el } from "./dom.js";
import { clock, plural } from "./format.js";
import { Link } from "./link.js";
import { Banner, showState, stateText } from "./status.js";

const MOST_ROWS = 500;
const NICKNAME_KEY = "ioto-nickname";
/** Messages of one person within this time stand together under one name. */
const GROUP_SECONDS = 180;

const ADJECTIVES = ["Quiet", "Brisk", "Amber", "Merry", "Clever", "Gentle", "Nimble", "Sunny", "Bold", "Curious"];
const ANIMALS = ["Heron", "Otter", "Lynx", "Finch", "Badger", "Marten", "Swift", "Hare", "Plover", "Newt"];
const pick = (list) => list[Math.floor(Math.random() * list.length)];

/** The session's storage, not the browser's: two tabs are two people. It may be switched off. */
function recallNickname() {
  try {
    return sessionStorage.getItem(NICKNAME_KEY);
  } catch {
    return null;
  }
}
function rememberNickname(name) {
  try {
    sessionStorage.setItem(NICKNAME_KEY, name);
  } catch {
    // It is asked for again next time.
  }
}

function hue(name) {
  let hash = 0;
  for (const character of name) hash = (hash * 31 + character.codePointAt(0)) % 3600;
  return hash % 360;
}

const initials = (name) => {
  const words = name.trim().split(/\s+/);
  const letters = words.length > 1 ? [words[0], words.at(-1)].map((word) => [...word][0]) : [...words[0]].slice(0, 2);
  return letters.join("").toUpperCase();
};

export const roomLink = (room) => `${location.origin}${location.pathname}#chat/${encodeURIComponent(room)}`;

/** isVisible: tells whether the chat is the section in front. */
export function startChat({ isVisible }) {
  const list = $("chat-log");
  const scroller = $("chat-scroll");
  const pending = [];
  let room = "";
  let last = null;
  let unread = 0;

  const link = new Link({ keepTrying: true, onChange: update, onEnd: ended, onMessage: received });
  const banner = new Banner($("chat-banner"), link);

  $("nickname").value = recallNickname() ?? `${pick(ADJECTIVES)} ${pick(ANIMALS)}`;
  $("invite-copy").hidden = !navigator.clipboard;

  function showInvite() {
    const target = roomLink($("room").value.trim() || "lobby");
    $("invite-link").textContent = target;
    $("invite-open").href = target;
  }
  $("room").addEventListener("input", showInvite);
  $("invite-copy").addEventListener("click", async () => {
    await navigator.clipboard.writeText($("invite-link").textContent);
    $("invite-copy").textContent = "Copied";
    setTimeout(() => ($("invite-copy").textContent = "Copy"), 1200);
  });
  showInvite();

  const joined = () => link.state !== "idle" && link.state !== "closed";

  $("join").addEventListener("submit", (event) => {
    event.preventDefault();
    const name = $("nickname").value.trim();
    const wanted = $("room").value.trim() || "lobby";
    let problem = "";
    // Rooms are topics of the server, where / and * have a meaning.
    if (!name) problem = "A nickname is needed, so that the others know who speaks.";
    else if (/[/*]/.test(wanted)) problem = "A room's name has no / and no *.";
    $("join-error").textContent = problem;
    if (problem) {
      (name ? $("room") : $("nickname")).focus();
      return;
    }
    rememberNickname(name);
    $("room").value = wanted;
    if (wanted !== room) {
      list.replaceChildren();
      last = null;
    }
    room = wanted;
    pending.length = 0;
    link.open({ path: `/ws/chat?room=${encodeURIComponent(room)}`, protocols: ["chat"] });
  });
  $("leave").addEventListener("click", () => link.close(1000, "left the room"));

  $("chat-composer").addEventListener("submit", (event) => {
    event.preventDefault();
    const text = $("chat-text").value.trim();
    const name = $("nickname").value.trim();
    if (!text || !name || link.state !== "open") return;
    rememberNickname(name);
    pending.push(`${name}\n${text}`);
    if (pending.length > MOST_ROWS) pending.shift();
    link.send(JSON.stringify({ name, text }));
    $("chat-text").value = "";
  });

  function update() {
    const open = link.state === "open";
    const inRoom = joined();
    const words = { idle: "Not joined", open: "Joined", connecting: "Joining…", closing: "Leaving…" };
    showState($("chat-state"), link, words[link.state] ?? (link.end?.byUs ? "Left" : stateText(link)));
    banner.update();
    $("join-button").textContent = inRoom ? "Switch room" : "Join";
    $("join-button").disabled = inRoom && $("room").value.trim() === room;
    $("leave").disabled = !inRoom || link.state === "closing";
    $("chat-text").disabled = $("chat-send").disabled = !open;
    $("chat-text").placeholder = open ? `Message #${room}` : "Join first";
    if (room) $("chat-room").textContent = room;
    $("chat-empty-title").firstChild.textContent = open ? "Nobody has said anything yet" : "You are not in a room";
    $("chat-empty-text").textContent = open
      ? "Be the first. Whoever joins later sees only what is said from then on."
      : "Pick a nickname and join. Open the page in a second window to talk to yourself.";
    if (open && document.activeElement === $("join-button") && matchMedia("(pointer: fine)").matches) $("chat-text").focus();
    if (!open) $("presence").textContent = "";
  }
  $("room").addEventListener("input", update);

  function ended() {
    if (list.childElementCount) system("The connection ended here");
  }

  function received(data) {
    let message = null;
    try {
      message = JSON.parse(data);
    } catch {
      // Not JSON: said below with whatever else is not understood.
    }
    if (message?.type === "message") said(message);
    else if (message?.type === "presence") $("presence").textContent = `${plural(message.count, "person", "people")} here`;
    else if (message?.type === "error") {
      pending.shift();
      system(`The server did not take that: ${message.text}`, true);
    } else system("A message came that this page does not understand.", true);
  }

  function said({ name, text, time }) {
    const at = pending.indexOf(`${name}\n${text}`);
    const mine = at >= 0;
    // What was sent before it and never came back is given up.
    pending.splice(0, at + 1);
    const who = mine ? "you" : name;
    const grouped = last && last.name === name && last.mine === mine && time - last.time < GROUP_SECONDS;
    last = { name, mine, time };
    const row = el("li", { class: `said${mine ? " mine" : ""}${grouped ? " grouped" : ""}` });
    row.style.setProperty("--hue", hue(name));
    row.append(
      el("span", { class: "avatar", "aria-hidden": "true" }, grouped ? "" : initials(name)),
      el("p", { class: "who" }, el("b", {}, name), mine ? " (you) " : " ", el("time", { dateTime: new Date(time * 1000).toISOString() }, clock(time * 1000, { seconds: false }))),
      el("p", { class: "bubble", dir: "auto" }, text),
    );
    append(row);
    if (!mine && (!isVisible() || document.hidden)) {
      unread += 1;
      showUnread();
      announce(`Chat: ${who} says ${text}`);
    }
  }

  function system(text, bad = false) {
    last = null;
    append(el("li", { class: `system${bad ? " bad" : ""}` }, text));
  }

  function append(row) {
    const atEnd = scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < 40;
    list.append(row);
    while (list.childElementCount > MOST_ROWS) list.firstElementChild.remove();
    $("chat-empty").hidden = true;
    if (atEnd || row.classList.contains("mine")) scroller.scrollTop = scroller.scrollHeight;
  }

  function showUnread() {
    const badge = $("chat-unread");
    badge.hidden = unread === 0;
    badge.textContent = unread > 99 ? "99+" : String(unread);
    badge.setAttribute("aria-label", `, ${plural(unread, "unread message")}`);
  }

  const read = () => {
    if (!isVisible() || document.hidden) return;
    unread = 0;
    showUnread();
    scroller.scrollTop = scroller.scrollHeight;
  };
  document.addEventListener("visibilitychange", read);

  return {
    shown: read,
    /** Puts a room from the address into the form; joining stays the person's own step. */
    propose(name) {
      if (joined()) return;
      $("room").value = name.slice(0, 60);
      showInvite();
    },
  };
}
