// Links and forms swap the main column instead of loading a page; history, scroll and focus are kept.

import { all, delegate, make, one, onPage, say, tellCounts, tellTimes, toast } from "/assets/ui.js";

const KEPT_MAX = 8;
const kept = new Map(); // history key → {page, title, scroll}: what "back" shows at once
let current = history.state?.key ?? crypto.randomUUID();
let running;

const shown = () => document.dispatchEvent(new CustomEvent("page:shown"));

function keep() {
  kept.delete(current);
  kept.set(current, { page: one("#page"), scroll: scrollY });
  if (kept.size > KEPT_MAX) kept.delete(kept.keys().next().value);
  history.replaceState({ ...history.state, key: current, scroll: scrollY }, "");
}

/** Says that what was kept no longer holds, after something was changed. */
export const forget = () => kept.clear();

function dress(page) {
  document.title = page.dataset.title;
  for (const link of all("[data-key]")) {
    if (link.dataset.key === page.dataset.active) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
}

function show(page, scroll, hash) {
  all(":popover-open").forEach((open) => open.hidePopover());
  one("#page").replaceWith(page);
  dress(page);
  shown();
  const target = hash ? document.getElementById(decodeURIComponent(hash.slice(1))) : null;
  if (target) target.scrollIntoView();
  else scrollTo({ top: scroll, behavior: "instant" });
  // What is told at the top of a page is told where one looks.
  const told = one("[data-flash]", page);
  if (told && told.getBoundingClientRect().bottom < 0) toast(told.textContent.trim());
  return target;
}

/** Fetches `url` and shows its main column. Resolves to whether it did. */
export async function visit(url, { method = "GET", body, push = true, scroll = 0, quiet = false } = {}) {
  running?.abort();
  const mine = (running = new AbortController());
  document.body.classList.add("busy");
  let response, text;
  try {
    response = await fetch(url, { method, body, signal: mine.signal, headers: { "X-Fragment": "main", Accept: "text/html" } });
    text = await response.text();
  } catch (error) {
    if (error.name !== "AbortError") toast("The server could not be reached. What you typed is still here.");
    return false;
  } finally {
    if (running === mine) document.body.classList.remove("busy");
  }
  const html = response.headers.get("content-type")?.startsWith("text/html");
  const page = html ? new DOMParser().parseFromString(text, "text/html").querySelector("#page") : null;
  const to = new URL(response.url);
  to.hash = new URL(url, location.href).hash;
  if (!page || page.matches(".plain") || one("#page.plain")) {
    if (method === "GET" || response.redirected) location.assign(to);
    else toast(`The server answered ${response.status}. Try again.`);
    return false;
  }
  // A form that was refused as a whole (a limit, a lost session) stays as it is, with what was typed.
  if (method !== "GET" && !response.ok && one(".fault", page)) {
    toast([...all(".fault h1, .fault h1 + p", page)].map((part) => part.textContent).join(": "));
    return false;
  }
  const samePlace = to.pathname + to.search === location.pathname + location.search;
  const settled = method === "GET" || response.redirected;
  if (!quiet) keep();
  if (method !== "GET") forget();
  if (settled && push && !samePlace) {
    current = crypto.randomUUID();
    history.pushState({ key: current, deep: true }, "", to);
  }
  document.dispatchEvent(new CustomEvent("unread", { detail: Number(page.dataset.unread) }));
  const target = show(document.adoptNode(page), samePlace && method !== "GET" ? scrollY : scroll, settled ? to.hash : "");
  const wrong = one('[aria-invalid="true"]', one("#page"));
  (wrong ?? target ?? one("#page [autofocus]") ?? one("#main")).focus({ preventScroll: !wrong });
  if (!wrong && method === "GET" && !quiet) say(document.title);
  return true;
}

function ours(link, event) {
  if (event.defaultPrevented || event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return false;
  if (link.target || link.hasAttribute("download") || link.matches("[data-plain], [data-view]")) return false;
  const to = new URL(link.href);
  if (to.origin !== location.origin || /^\/(api|assets|media|docs)\b/.test(to.pathname)) return false;
  return !(to.hash && to.pathname + to.search === location.pathname + location.search);
}

async function submit(event, form) {
  const button = event.submitter;
  const data = new FormData(form, button);
  form.dispatchEvent(new CustomEvent("form:data", { detail: data }));
  const action = button?.getAttribute("formaction") || form.getAttribute("action");
  if (form.method === "get") {
    await visit(`${action}?${new URLSearchParams(data)}`);
    return;
  }
  button?.setAttribute("aria-busy", "true");
  const body = form.enctype === "multipart/form-data" ? data : new URLSearchParams(data);
  const done = await visit(action, { method: "POST", body });
  button?.removeAttribute("aria-busy");
  if (done) form.dispatchEvent(new CustomEvent("form:done"));
}

// --- lists that go on

const coming = new IntersectionObserver((entries) => {
  for (const entry of entries) if (entry.isIntersecting) grow(entry.target);
}, { rootMargin: "800px" });

async function grow(more) {
  const link = one("a", more);
  if (!link || more.dataset.loading) return;
  more.dataset.loading = "1";
  coming.unobserve(more);
  const waiting = make("div", { class: "skeleton", "aria-hidden": "true" }, make("div"), make("div"));
  more.before(waiting);
  try {
    const response = await fetch(link.href, { headers: { "X-Fragment": "main", Accept: "text/html" } });
    if (response.status === 410) {
      more.replaceChildren(make("p", { class: "hint" }, "This list has moved on. "), make("a", { class: "button", href: location.href }, "Start again"));
      return;
    }
    if (!response.ok) throw new Error(String(response.status));
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    let added = 0;
    for (const list of all("[data-list]", page)) {
      const here = one(`#page [data-list="${list.dataset.list}"]`);
      if (!here) continue;
      const fresh = [...list.children].filter((child) => !child.id || !document.getElementById(child.id));
      added += fresh.length;
      here.append(...fresh);
      document.dispatchEvent(new CustomEvent("page:grown", { detail: here }));
    }
    const next = one("[data-more], .end-mark", page);
    if (next) { more.replaceWith(next); watchMore(); } else more.remove();
    if (added) say(`${added} more`);
  } catch {
    delete more.dataset.loading; // the link is still there, to be pressed
  } finally {
    waiting.remove();
  }
}

const watchMore = () => all("#page [data-more]").forEach((more) => coming.observe(more));

export function start() {
  history.scrollRestoration = "manual";
  history.replaceState({ ...history.state, key: current }, "");
  if (history.state.scroll) scrollTo({ top: history.state.scroll, behavior: "instant" });
  delegate("click", "a[href]", (event, link) => {
    if (!ours(link, event)) return;
    event.preventDefault();
    const more = link.closest("[data-more]");
    if (more && link.rel === "next") grow(more);
    else if (link.hasAttribute("data-back") && history.state?.deep) history.back();
    else visit(link.href);
  });
  delegate("submit", 'form[data-swap], form[role="search"]', (event, form) => {
    if (event.defaultPrevented) return;
    event.preventDefault();
    submit(event, form);
  });
  addEventListener("popstate", (event) => {
    if (!event.state?.key) return; // a jump inside the page
    kept.delete(current);
    kept.set(current, { page: one("#page"), scroll: scrollY });
    current = event.state.key;
    const was = kept.get(current);
    if (was) show(was.page, was.scroll);
    else visit(location.href, { push: false, quiet: true, scroll: event.state.scroll ?? 0 });
  });
  addEventListener("pagehide", () => history.replaceState({ ...history.state, key: current, scroll: scrollY }, ""));
  onPage((root) => { tellTimes(root); tellCounts(root); watchMore(); });
  setInterval(tellTimes, 30_000);
}
