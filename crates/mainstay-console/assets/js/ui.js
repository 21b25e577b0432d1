// Small things that every other file uses: the document, words, requests, messages.

export const one = (selector, root = document) => root.querySelector(selector);
export const all = (selector, root = document) => [...root.querySelectorAll(selector)];
export const meta = (name) => one(`meta[name="${name}"]`)?.content ?? "";
export const locale = () => document.documentElement.dataset.locale || navigator.language;
const sprite = "/assets/icons.svg";

/** An element: make("p", {class: "hint", hidden: true}, "text", child). */
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name, value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value != null) element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", `${sprite}#${name}`);
  svg.append(use);
  return svg;
}

let isShown = false;
document.addEventListener("page:shown", () => { isShown = true; }, { once: true });

/** Runs `act` for the page that is shown and for each that is swapped in. */
export function onPage(act) {
  if (isShown) act(one("#page"));
  document.addEventListener("page:shown", () => act(one("#page")));
  document.addEventListener("page:grown", (event) => act(event.detail));
}

/** Handles `type` for elements that match, now or later. */
export function delegate(type, selector, act) {
  document.addEventListener(type, (event) => {
    const found = event.target instanceof Element && event.target.closest(selector);
    if (found) act(event, found);
  });
}

// --- words

/** `999`, `1.2K`, `34.5K`, `678K`, as the server writes it. */
export const count = (number) => new Intl.NumberFormat(locale(), number < 1000 ? {} : { notation: "compact", roundingMode: "trunc",
  maximumFractionDigits: String(Math.trunc(number)).length % 3 === 0 ? 0 : 1 }).format(number);
export const bytes = (size) => new Intl.NumberFormat(locale(), { style: "unit", unit: size < 1e6 ? "kilobyte" : "megabyte", maximumFractionDigits: 1 })
  .format(size < 1e6 ? size / 1e3 : size / 1e6);

const steps = [[60, "second", 1], [3600, "minute", 60], [86400, "hour", 3600], [604800, "day", 86400]];

/** `5m` beside a name; in a sentence `5 minutes ago`. */
function relative(then, now, sentence) {
  const seconds = (then - now) / 1000;
  const size = Math.abs(seconds);
  if (size < 60 && seconds <= 0 && sentence) return "just now";
  if (size < 60 && seconds <= 0) return new Intl.RelativeTimeFormat(locale(), { numeric: "auto" }).format(0, "second");
  for (const [below, unit, length] of steps) {
    if (size >= below) continue;
    if (seconds > 0) return new Intl.RelativeTimeFormat(locale(), { style: sentence ? "long" : "short" }).format(Math.round(seconds / length), unit);
    if (sentence) return new Intl.RelativeTimeFormat(locale()).format(-Math.floor(size / length), unit);
    return new Intl.NumberFormat(locale(), { style: "unit", unit, unitDisplay: "narrow" }).format(Math.floor(size / length));
  }
  const sameYear = new Date(then).getFullYear() === new Date(now).getFullYear();
  return new Intl.DateTimeFormat(locale(), { day: "numeric", month: "short", year: sameYear ? undefined : "numeric" }).format(then);
}

/** Writes every time under `root` in the reader's words and zone. */
export function tellTimes(root = document) {
  const exact = new Intl.DateTimeFormat(locale(), { dateStyle: "full", timeStyle: "short" });
  for (const element of all("time[data-exact]", root)) element.textContent = exact.format(Date.parse(element.dateTime));
  const now = Date.now();
  for (const element of all("time[data-time]", root)) {
    const then = Date.parse(element.dateTime);
    if (Number.isNaN(then)) continue;
    element.title = exact.format(then);
    const words = relative(then, now, element.dataset.time === "ago");
    if (element.textContent !== words) element.textContent = words;
  }
}

/** Writes the long counts and the sums of money under `root` in the reader's way. */
export function tellCounts(root = document) {
  for (const element of all("[data-money]", root)) {
    const words = new Intl.NumberFormat(locale(), { style: "currency", currency: element.dataset.currency });
    const minor = element.dataset.money;
    // A sum that a number does not hold exactly stays as the server wrote it.
    if (Number.isSafeInteger(Number(minor))) element.textContent = words.format(Number(minor) / 10 ** words.resolvedOptions().maximumFractionDigits).replace("-", "−");
  }
  for (const element of all("[data-value]", root)) if (element.dataset.value > 999) element.textContent = count(Number(element.dataset.value));
}

/** Sets a count in place; `data-value` keeps the exact number behind `1.2K`. */
export function setCount(element, value, quietly = false) {
  if (Number(element.dataset.value) === value) return;
  element.dataset.value = value;
  element.textContent = count(value);
  if (quietly) return;
  element.classList.remove("changed");
  void element.offsetWidth;
  element.classList.add("changed");
}

// --- requests

export class Refused extends Error {
  constructor(problem, status) {
    super(problem.errors?.[0]?.detail || problem.detail || problem.title || "That did not work. Try again.");
    this.status = status;
    this.code = problem.code;
  }
}

/** A call of the API with the session's token; throws Refused with the reason. */
export async function api(method, url, body, more = {}) {
  const headers = { "X-CSRF-Token": meta("csrf"), Accept: "application/json" };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  let response;
  try {
    response = await fetch(url, { method, headers, body: body === undefined ? undefined : JSON.stringify(body), ...more });
  } catch {
    throw new Refused({ detail: "The server could not be reached. Check your connection." }, 0);
  }
  const answer = response.status === 204 ? null : await response.json().catch(() => null);
  if (!response.ok) throw new Refused(answer ?? { detail: `The server answered ${response.status}. Try again.` }, response.status);
  return answer;
}

// --- messages

/** Tells a screen reader. */
export function say(text) {
  const place = one("#said");
  place.textContent = "";
  setTimeout(() => { place.textContent = text; }, 50);
}

/** A message that goes away by itself; `act` is `{label, run, otherwise}`, of which `otherwise` is called when the message goes.
    Returns a function that removes it. */
export function toast(text, act, lasts = 6000) {
  const place = one("#toasts");
  const close = () => { clearTimeout(timer); box.remove(); act?.otherwise?.(); };
  const box = make("div", { class: "toast" }, make("p", {}, text));
  if (act) box.append(make("button", { type: "button", click: () => { act.run(); close(); } }, act.label));
  place.append(box);
  while (place.children.length > 3) place.firstChild.remove();
  let timer = setTimeout(close, lasts);
  // Reading or reaching for the button stops the clock.
  box.addEventListener("pointerenter", () => clearTimeout(timer));
  box.addEventListener("pointerleave", () => { timer = setTimeout(close, lasts); });
  say(act ? `${text}. ${act.label} is offered.` : text);
  return close;
}
