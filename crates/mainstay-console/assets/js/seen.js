// What was looked at: half of it visible for a second counts; how long it stayed is told when it leaves.

import { all, api, onPage } from "/assets/ui.js";

const HALF = 0.5;
const LOOK_MS = 1000;
const BEAT_MS = 60_000; // a view that is silent for minutes ends by itself
const looks = new Map(); // element → {timer, since, id, ended}

function begin(element) {
  const look = { since: performance.now() };
  look.timer = setTimeout(async () => {
    try {
      look.id = (await api("POST", element.dataset.seen)).id;
      if (look.left) tell(look, look.left, true);
      else look.beat = setInterval(() => tell(look, dwell(look), false), BEAT_MS);
    } catch { /* not counted: nothing that the reader could do */ }
  }, LOOK_MS);
  looks.set(element, look);
}

function end(element) {
  const look = looks.get(element);
  if (!look) return;
  looks.delete(element);
  clearTimeout(look.timer);
  clearInterval(look.beat);
  if (look.id) tell(look, dwell(look), true);
  else look.left = dwell(look);
}

const dwell = (look) => Math.round(performance.now() - look.since);

function tell(look, dwell_ms, ended) {
  const body = { dwell_ms, ended };
  api("PATCH", `/api/v1/views/${look.id}`, body, { keepalive: true }).catch(() => {});
}

// A post higher than the screen is seen when it fills half of the screen.
const enough = (entry) => entry.intersectionRatio >= HALF || entry.intersectionRect.height >= innerHeight * HALF;

export function start() {
  const observer = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      if (enough(entry) && !document.hidden) { if (!looks.has(entry.target)) begin(entry.target); } else end(entry.target);
    }
  }, { threshold: [0, 0.25, HALF, 0.75] });
  onPage((root) => {
    for (const element of looks.keys()) if (!element.isConnected) end(element);
    all("[data-seen]", root).forEach((element) => observer.observe(element));
  });
  const endAll = () => [...looks.keys()].forEach(end);
  addEventListener("pagehide", endAll);
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) endAll();
    else all("[data-seen]").forEach((element) => { observer.unobserve(element); observer.observe(element); });
  });
}
