// The keyboard: a palette that goes and does, keys that move through a list, and the list of keys.

import { all, delegate, icon, make, one, toast } from "/assets/ui.js";
import { visit } from "/assets/swap.js";

const KEYS = [
  [["Ctrl", "K"], "Go to or do anything"], [["/"], "Search"], [["?"], "Show these keys"], [["j"], "Next"], [["k"], "Previous"],
  [["Enter"], "Open what is selected"], [["l"], "Like it"], [["r"], "Comment or reply"], [["v"], "View its pictures"], [["."], "Show its menu"],
  [["c"], "New post"], [["Esc"], "Close, or leave a field"],
  [["Ctrl", "Enter"], "Send the form you are writing in"],
];
let selected, waitsForLetter, cameFrom;

const typing = (target) => target.matches?.("input, textarea, select, [contenteditable]");
const items = () => all("#page [data-item]").filter((item) => !item.hidden);
const here = () => document.activeElement.closest?.("[data-item]") ?? (selected?.isConnected ? selected : null);

function step(by) {
  const list = items();
  if (!list.length) return;
  const now = list.indexOf(here());
  // Nothing is selected yet: begin with the first one on the screen.
  const next = now < 0 ? list.findIndex((item) => item.getBoundingClientRect().bottom > 120) : now + by;
  selected = list[Math.max(0, Math.min(list.length - 1, next))];
  selected.focus({ preventScroll: true });
  const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  selected.scrollIntoView({ block: selected.offsetHeight > innerHeight * 0.7 ? "start" : "center", behavior: calm ? "auto" : "smooth" });
}

const follow = (href) => visit(href);
const press = (selector) => () => here() && one(selector, here())?.click();
const acts = {
  j: () => step(1), k: () => step(-1), l: press("[data-like]"), v: press("a[data-view]"), ".": press(".menu-button"),
  r: () => (here() && one("[data-comment], .reply > summary", here())?.click()) ?? one("#comment-text")?.focus(),
  c: () => one("[data-create]")?.click(), "/": () => search(), "?": () => showKeys(), o: () => openSelected(),
};

function search() {
  const field = all("[data-search]").find((input) => input.offsetParent);
  if (field) field.focus();
  else follow("/search");
}

function openSelected() {
  const item = here();
  if (item?.dataset.open) follow(item.dataset.open);
}

/** The word of a link of the navigation. */
const wordOf = (link) => (one(".word", link) ?? link).textContent.trim();

function showKeys() {
  const letters = all("[data-letter]").map((link) => [["g", link.dataset.letter], `Go to: ${wordOf(link)}`]);
  one("#keys-list").replaceChildren(...[...KEYS, ...letters].flatMap(([keys, words]) => [make("dt", {}, ...keys.map((key) => make("kbd", {}, key))), make("dd", {}, words)]));
  one("#keys").showModal();
}

// --- the palette

function offers(query) {
  const go = all("[data-key], .account-menu a, [data-go]").map((link) => ({
    words: wordOf(link), symbol: one("use", link)?.getAttribute("href").split("#")[1], run: () => link.click(),
    key: link.dataset.letter && !link.matches("[data-create]") ? `g ${link.dataset.letter}` : link.matches("[data-create]") ? "c" : "",
  }));
  const item = here();
  const on = (words, symbol, selector) => (item && one(selector, item) ? [{ words, symbol, run: () => one(selector, item).click() }] : []);
  const list = [
    ...on("Like or unlike what is selected", "heart", "[data-like]"), ...on("Comment on what is selected", "message-circle", "[data-comment]"),
    ...on("Copy its link", "link", "[data-copy]"), ...go,
    ...all("[data-theme-form] button").slice(0, 3).map((button) => ({ words: `Theme: ${button.textContent.trim().toLowerCase()}`, symbol: one("use", button).getAttribute("href").split("#")[1], run: () => button.click() })),
    { words: "Keyboard shortcuts", symbol: "keyboard", run: showKeys, key: "?" },
  ];
  if (one('form[action="/sign-out"]')) list.push({ words: "Sign out", symbol: "log-out", run: () => one('form[action="/sign-out"]').requestSubmit() });
  const seen = new Set();
  const wanted = query.toLowerCase().trim();
  const found = list.filter(({ words }) => !seen.has(words) && seen.add(words) && wanted.split(/\s+/).every((part) => words.toLowerCase().includes(part)));
  if (wanted) {
    const plain = encodeURIComponent(query.trim().replace(/^[@#]/, ""));
    found.push({ words: `Search people for “${query.trim()}”`, symbol: "search", run: () => follow(`/search?kind=people&q=${plain}`) });
    found.push({ words: `Search tags for “${query.trim()}”`, symbol: "hash", run: () => follow(`/search?kind=hashtags&q=${plain}`) });
  }
  return found;
}

let choices = [], chosen = 0;

function fill() {
  choices = offers(one("#palette-input").value);
  chosen = 0;
  one("#palette-list").replaceChildren(...choices.map((choice, index) => make("li", { role: "option", id: `choice-${index}`, "aria-selected": "false", click: () => take(index) },
    icon(choice.symbol ?? "arrow-right"), choice.words, ...(choice.key ? [make("kbd", {}, choice.key)] : []))));
  mark();
}

function mark() {
  all("#palette-list [role=option]").forEach((option, index) => {
    option.setAttribute("aria-selected", String(index === chosen));
    if (index === chosen) option.scrollIntoView({ block: "nearest" });
  });
  one("#palette-input").setAttribute("aria-activedescendant", `choice-${chosen}`);
}

function take(index) {
  one("#palette").close();
  choices[index]?.run();
}

function openPalette() {
  cameFrom = here();
  if (cameFrom) selected = cameFrom;
  one("#palette-input").value = "";
  one("#palette").showModal();
  fill();
}

function paletteKey(event) {
  const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (by) {
    event.preventDefault();
    chosen = (chosen + by + choices.length) % choices.length;
    mark();
  } else if (event.key === "Enter") {
    event.preventDefault();
    take(chosen);
  }
}

// --- the keys

function onKey(event) {
  if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
    event.preventDefault();
    if (one("#palette").open) one("#palette").close(); else if (!one("dialog[open]")) openPalette();
    return;
  }
  if (event.ctrlKey || event.metaKey || event.altKey || one("dialog[open]")) return;
  if (typing(event.target)) {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  if (event.key === "Enter" && event.target.matches("[data-item]")) { event.preventDefault(); openSelected(); return; }
  if (one(":popover-open")) return;
  if (waitsForLetter) {
    clearTimeout(waitsForLetter);
    waitsForLetter = undefined;
    const link = one(`[data-letter="${CSS.escape(event.key)}"]`);
    if (link) { event.preventDefault(); link.click(); }
    return;
  }
  if (event.key === "g") { waitsForLetter = setTimeout(() => { waitsForLetter = undefined; }, 1200); return; }
  const act = acts[event.key];
  if (!act) return;
  event.preventDefault();
  act();
}

// --- light and dark

function theme(event, form) {
  event.preventDefault();
  const name = event.submitter.value;
  document.documentElement.dataset.theme = name;
  const secure = location.protocol === "https:" ? "; Secure" : "";
  document.cookie = `theme=${name}; Path=/; Max-Age=31536000; SameSite=Lax${secure}`;
  for (const button of all("[data-theme-form] button")) button.setAttribute("aria-pressed", String(button.value === name));
  if (!form.closest(":popover-open")) toast(`Theme: ${name}`, null, 2000);
}

export function start() {
  document.addEventListener("keydown", onKey);
  document.addEventListener("focusin", (event) => { selected = event.target.closest("[data-item]") ?? selected; });
  one("#palette-input").addEventListener("input", fill);
  one("#palette").addEventListener("keydown", paletteKey);
  one("#palette").addEventListener("click", (event) => { if (event.target === one("#palette")) one("#palette").close(); });
  delegate("click", "[data-show-keys]", (_event, button) => { button.closest(":popover-open")?.hidePopover(); showKeys(); });
  delegate("submit", "[data-theme-form]", theme);
}
