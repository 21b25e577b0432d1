// News from the server over one WebSocket: new items wait behind a pill, counts change in place.

import { all, meta, one, onPage, say, setCount, count, tellTimes } from "/assets/ui.js";
import { forget, visit } from "/assets/swap.js";

const TOPICS_MAX = 100;
const WAIT_MAX_MS = 30_000;
let socket, last, failures = 0, notice, sent = "", unreadCount;
const waiting = new Map(); // pill's topic → ids that are new

function topics() {
  const posts = all("#page [data-topic]").slice(-TOPICS_MAX + 2).map((element) => element.dataset.topic);
  return [...new Set(["home", "notifications", ...posts])];
}

function subscribe() {
  if (socket?.readyState !== WebSocket.OPEN) return;
  const list = topics();
  const text = list.join();
  if (text === sent) return;
  sent = text;
  socket.send(JSON.stringify({ subscribe: list, after: last }));
}

function showPill(topic) {
  const pill = one(`#page [data-pill="${topic}"]`);
  const number = waiting.get(topic)?.size ?? 0;
  if (!pill) return;
  pill.hidden = number === 0;
  const words = number === 1 ? "1 new" : `${count(number)} new`;
  one("[data-pill-text]", pill).textContent = topic === "home" ? `${words} ${number === 1 ? "post" : "posts"}` : words;
  if (number === 1) say(pill.textContent);
}

function arrived(topic, id) {
  if (id && document.getElementById(id)) return;
  if (!waiting.has(topic)) waiting.set(topic, new Set());
  waiting.get(topic).add(id ?? crypto.randomUUID());
  showPill(topic);
}

function unread(number) {
  unreadCount = number;
  for (const badge of all("[data-unread-badge]")) {
    badge.hidden = !number;
    one("[data-unread-count]", badge).textContent = count(number);
  }
  document.title = (number ? `(${number}) ` : "") + document.title.replace(/^\(\d+\) /, "");
}

function counts(topic, data) {
  for (const part of all(`#page [data-topic="${CSS.escape(topic)}"]`)) {
    for (const element of all("[data-live-count]", part)) {
      const value = data[element.dataset.liveCount];
      // One's own press is on its way: what it shows is newer than this message.
      if (typeof value === "number") setCount(element, value);
    }
  }
}

function receive({ topic, type, id, data }) {
  if (id !== undefined) last = id;
  if (type === "reset") {
    last = undefined;
    forget();
    if (one("#page [data-pill]")) arrived(one("#page [data-pill]").dataset.pill);
  } else if (type === "subscribed") {
    // From here on what it shows is kept current.
    for (const part of all(`#page [data-topic="${CSS.escape(topic)}"]`)) part.dataset.live = "on";
  } else if (type === "unread") {
    unread(data.unread_count);
    if (data.unread_count) arrived("notifications", data.notification_id);
  } else if (type === "counts") counts(topic, data);
  else if (type === "post_published" && data.author_id !== meta("viewer")) arrived("home", data.post_id);
}

function connect() {
  sent = "";
  socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/api/v1/live`);
  socket.addEventListener("open", () => {
    clearTimeout(notice);
    if (!one("#offline").hidden) say("Connected again");
    one("#offline").hidden = true;
    failures = 0;
    subscribe();
  });
  socket.addEventListener("message", (event) => {
    try { receive(JSON.parse(event.data)); } catch { /* a message of a newer server: nothing to show */ }
  });
  socket.addEventListener("close", () => {
    failures += 1;
    // A short break is not worth a word.
    if (failures === 1) notice = setTimeout(() => { one("#offline").hidden = false; }, 4000);
    const pause = Math.min(WAIT_MAX_MS, 500 * 2 ** failures) * (0.5 + Math.random() / 2);
    setTimeout(connect, pause);
  });
}

export function start() {
  document.addEventListener("unread", (event) => unread(event.detail));
  document.addEventListener("click", async (event) => {
    const pill = event.target.closest?.("[data-pill]");
    if (!pill) return;
    waiting.delete(pill.dataset.pill);
    pill.hidden = true;
    await visit(location.pathname, { push: false, quiet: true });
    one("#page [data-item]")?.focus({ preventScroll: true });
    tellTimes();
  });
  onPage(() => {
    const active = one("#page").dataset.active;
    unread(unreadCount ?? Number(one("#page").dataset.unread));
    if (active === "home" || active === "notifications") waiting.delete(active);
    subscribe();
  });
  if (!meta("viewer")) return;
  connect();
}
