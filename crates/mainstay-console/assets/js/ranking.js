// A ranking that moves: rows go to their new places as the live channel says, within sight.

import { all, one, onPage, say, count } from "/assets/ui.js";

const still = matchMedia("(prefers-reduced-motion: reduce)");
const ease = "cubic-bezier(0.2, 0, 0, 1)";
let loading;

const rows = (list) => all(":scope > [data-key]", list);
const named = (list, key) => one(`:scope > [data-key="${CSS.escape(key)}"]`, list);

/** Changes the list and lets every row that stays glide from where it was. */
function glide(list, change) {
  const from = new Map(rows(list).map((row) => [row.dataset.key, row.getBoundingClientRect().top]));
  change();
  for (const row of rows(list)) {
    const before = from.get(row.dataset.key);
    const moved = before === undefined ? 0 : before - row.getBoundingClientRect().top;
    if (still.matches) continue;
    if (before === undefined) row.animate([{ opacity: 0 }, { opacity: 1 }], { duration: 300 });
    else if (moved) {
      row.animate([{ transform: `translateY(${moved}px)` }, { transform: "none" }], { duration: 420, easing: ease });
      if (moved > 0) row.animate([{ backgroundColor: "var(--accent-soft)" }, {}], { duration: 1600 });
    }
  }
}

/** A score with its digits grouped, whole or with decimals, exact at any size. */
const grouped = (score) => {
  const [, sign, whole, rest] = /^(-?)(\d+)(.*)$/.exec(String(score)) ?? [, "", "0", ""];
  return (sign && "−") + whole.replace(/\B(?=(\d{3})+$)/g, ",") + rest;
};

const scoresOf = (row) => all("[data-score]", row).map((cell) => cell.dataset.score).join(" ");

/** Ranks follow from places: equal scores share one where the board says so. */
function number(list) {
  let rank = 0, before;
  rows(list).forEach((row, place) => {
    const scores = scoresOf(row);
    const same = before === scores;
    if (list.dataset.ties === "dense") rank += same ? 0 : 1;
    else if (!(list.dataset.ties === "shared" && same)) rank = place + 1;
    before = scores;
    const cell = one("[data-rank]", row);
    cell.dataset.rank = cell.textContent = rank;
  });
}

function setScores(row, scores) {
  all("[data-score]", row).forEach((cell, at) => {
    cell.dataset.score = scores[at];
    cell.textContent = grouped(scores[at]);
  });
}

/** Takes out everybody who is named and puts the entries in at their places; false if somebody is new here. */
function apply(list, { entries, gone, count: total }) {
  const known = entries.map((entry) => named(list, entry.owner));
  if (known.includes(null)) return false;
  const length = rows(list).length;
  glide(list, () => {
    for (const owner of gone) named(list, owner)?.remove();
    for (const row of known) row.remove();
    entries.forEach((entry, at) => {
      setScores(known[at], entry.scores);
      list.insertBefore(known[at], rows(list)[entry.place] ?? null);
    });
    number(list);
  });
  const counted = one("#page [data-ranking-count]");
  if (counted) counted.textContent = `${count(total)} ${total === 1 ? "entry" : "entries"}`;
  return rows(list).length >= Math.min(length, total);
}

/** Reads the page anew and lets its rows glide to where they are now. */
async function reload(list) {
  if (loading) { loading.again = true; return; }
  const mine = (loading = { again: false }); // another page may have begun its own meanwhile
  try {
    const response = await fetch(location.href, { headers: { "X-Fragment": "main", Accept: "text/html" } });
    if (!response.ok) return;
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    const fresh = one(`[data-ranking="${CSS.escape(list.dataset.ranking)}"]`, page);
    if (!fresh || !list.isConnected) return;
    if (list.hidden && !rows(fresh).length) return;
    list.hidden = false;
    one("#page [data-ranking-empty]")?.remove();
    glide(list, () => {
      const before = new Map(rows(list).map((row) => [row.dataset.key, row]));
      const after = rows(fresh).map((row) => {
        const old = before.get(row.dataset.key);
        if (!old) return row;
        setScores(old, all("[data-score]", row).map((cell) => cell.dataset.score));
        return old;
      });
      list.replaceChildren(...after);
      number(list);
    });
    const [counted, now] = [one("#page [data-ranking-count]"), one("[data-ranking-count]", page)];
    if (counted && now) counted.textContent = now.textContent;
  } finally {
    if (loading === mine) loading = undefined;
    if (mine.again) setTimeout(reload, 300, list);
  }
}

/** Where the reader stands now, with how much, and how far it is to the one before. */
function mine({ around }) {
  const own = document.querySelector('meta[name="viewer"]')?.content;
  const entry = around.find((other) => other.owner === own);
  const cell = one("#page [data-my-rank]");
  if (!entry || !cell) return;
  const ahead = around.findLast((other) => other.rank < entry.rank);
  const [score, gap] = [one("#page [data-my-score]"), one("#page [data-my-gap]")];
  if (score) score.textContent = grouped(entry.scores[0]);
  if (gap && ahead) gap.textContent = `${grouped(Math.abs(ahead.scores[0] - entry.scores[0]))} behind rank ${ahead.rank}`;
  else if (gap && entry.rank === 1) gap.textContent = "Nobody is ahead of you";
  if (Number(cell.dataset.myRank) === entry.rank) return;
  say(entry.rank < Number(cell.dataset.myRank) ? `You rose to rank ${entry.rank}` : `You are at rank ${entry.rank} now`);
  cell.dataset.myRank = cell.textContent = entry.rank;
}

export function start() {
  document.addEventListener("live", ({ detail: { topic, type, data } }) => {
    const list = one(`#page [data-ranking="${CSS.escape(topic ?? "")}"]`);
    if (!list) return;
    // From here on it moves; after a reset what stands on the page may be older than that.
    if (type === "subscribed" || type === "reset") one("#page [data-live-mark]")?.removeAttribute("hidden");
    if (type === "patch") { if (!apply(list, data)) reload(list); }
    else if (type === "reset" || type === "reload") reload(list);
    else if (type === "mine") mine(data);
  });
  onPage(() => { loading = undefined; });
}
