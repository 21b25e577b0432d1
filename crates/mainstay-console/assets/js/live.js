// News from the server over one WebSocket: new items wait behind a pill, counts change in place.

import { all, meta, one, onPage, say, setCount, count, tellTimes } from "/assets/ui.js";
import { forget, visit } from "/assets/swap.js";

const TOPICS_MAX = 100;
const WAIT_MAX_MS = 30_000;
let socket, last, failures = 0, notice, missed, unreadCount;
let sent = []; // the topics that this connection follows
const waiting = new Map(); // pill's topic → ids that are new

function topics() {
  const posts = all("#page [data-topic]").slice(-TOPICS_MAX + 2).map((element) => element.dataset.topic);
  return [...new Set([...(meta("viewer") ? ["home", "notifications"] : []), ...posts])];
}

function subscribe() {
  if (socket?.readyState !== WebSocket.OPEN) return;
  const list = topics();
  // What left the page is followed no more: a connection has room for so many topics.
  const [gone, fresh] = [sent.filter((topic) => !list.includes(topic)), list.filter((topic) => !sent.includes(topic))];
  sent = list;
  if (gone.length) socket.send(JSON.stringify({ unsubscribe: gone }));
  if (fresh.length) socket.send(JSON.stringify({ subscribe: fresh, after: last }));
  // Topics that were followed before stand on a new page.
  for (const topic of list.filter((topic) => !fresh.includes(topic))) mark(topic);
}

/** Says that from here on what shows this topic is kept current. */
function mark(topic) {
  for (const part of all(`#page [data-topic="${CSS.escape(topic)}"]`)) part.dataset.live = "on";
}

/** Something was missed: reads the numbers on this page anew, without touching what else is on it. */
async function catchUp() {
  try {
    const response = await fetch(location.href, { headers: { "X-Fragment": "main", Accept: "text/html" } });
    if (!response.ok) return;
    const page = new DOMParser().parseFromString(await response.text(), "text/html").querySelector("#page");
    for (const part of all("[data-topic]", page)) {
      const numbers = all("[data-live-count]", part).map((element) => [element.dataset.liveCount, Number(element.dataset.value)]);
      counts(part.dataset.topic, Object.fromEntries(numbers));
    }
    unread(Number(page.dataset.unread));
  } catch { /* the next reset or page reads them */ }
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
  // Answers to a subscription have none.
  if (id != null) last = id;
  document.dispatchEvent(new CustomEvent("live", { detail: { topic, type, data } }));
  if (type === "reset") {
    forget();
    if (one(`#page [data-pill="${CSS.escape(topic)}"]`)) arrived(topic);
    clearTimeout(missed);
    missed = setTimeout(catchUp, 200); // each topic is reset by itself
  } else if (type === "subscribed") {
    mark(topic);
  } else if (type === "unread") {
    unread(data.unread_count);
    if (data.unread_count) arrived("notifications", data.notification_id);
  } else if (type === "counts") counts(topic, data);
  else if (type === "post_published" && data.author_id !== meta("viewer")) arrived("home", data.post_id);
}

function connect() {
  sent = [];
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
    // Strangers are told of what they look at, once they look at something that moves.
    if (socket) subscribe();
    else if (meta("viewer") || one("#page [data-ranking]")) connect();
  });
}
