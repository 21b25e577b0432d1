// Acts that show at once and roll back with a reason: like, follow, delete with undo; and small page parts.

import { all, api, delegate, locale, make, one, onPage, say, setCount, toast } from "/assets/ui.js";
import { forget } from "/assets/swap.js";

const flights = new WeakMap(); // form → the wish that is sent: the last press wins

function paint(form, on) {
  const button = one("button", form);
  form.dataset.state = on ? "on" : "off";
  if (button.hasAttribute("aria-pressed")) button.setAttribute("aria-pressed", String(on));
  form.action = on ? form.dataset.on : form.dataset.off;
  const number = one("[data-value]", form) ?? (form.closest("[data-toggle-scope]") && one("[data-toggle-count]", form.closest("[data-toggle-scope]")));
  if (number) setCount(number, Math.max(0, Number(number.dataset.value) + (on ? 1 : -1)), true);
  if (on && button.matches(".like")) {
    button.classList.remove("beat");
    void button.offsetWidth;
    button.classList.add("beat");
  }
}

async function toggle(form) {
  const on = form.dataset.state !== "on";
  paint(form, on);
  forget();
  if (flights.has(form)) { flights.set(form, on); return; }
  flights.set(form, on);
  let told = !on; // what the server knows
  try {
    while (flights.get(form) !== told) {
      const wish = flights.get(form);
      await api(wish ? "PUT" : "DELETE", form.dataset.toggle);
      told = wish;
    }
  } catch (error) {
    if (flights.get(form) !== told) paint(form, told);
    toast(error.message);
  } finally {
    flights.delete(form);
  }
}

/** Hides what is deleted, offers undo, and deletes when the offer ends. */
function remove(form) {
  const target = document.getElementById(form.dataset.gone);
  const [method, url] = form.dataset.api.split(" ");
  const next = target?.nextElementSibling ?? target?.previousElementSibling;
  if (!target) return;
  form.closest(":popover-open")?.hidePopover();
  target.hidden = true;
  next?.focus?.({ preventScroll: true });
  let state = "waits";
  const send = async () => {
    if (state !== "waits") return;
    state = "sent";
    removeEventListener("pagehide", send);
    try {
      await api(method, url, undefined, { keepalive: true });
      forget();
      target.remove();
      if (location.pathname.endsWith(form.dataset.gone)) location.assign("/");
    } catch (error) {
      target.hidden = false;
      toast(error.message);
    }
  };
  const undo = () => { state = "undone"; removeEventListener("pagehide", send); target.hidden = false; target.focus(); say("Undone"); };
  addEventListener("pagehide", send);
  toast(form.dataset.undo, { label: "Undo", run: undo, otherwise: send });
}

async function copy(text, done, otherwise) {
  try {
    await navigator.clipboard.writeText(text);
    toast(done, null, 3000);
  } catch {
    toast(`The browser does not allow copying. ${otherwise}`);
  }
}

/** Shows what is typed into a field for a password, or dots again. */
function reveal(button) {
  const field = one("input", button.parentElement);
  const shown = field.type === "password";
  field.type = shown ? "text" : "password";
  button.setAttribute("aria-pressed", String(shown));
}

/** Shows the whole of a text that was cut. */
function unclamp(button) {
  delete button.previousElementSibling.dataset.clamp;
  button.closest("[data-item]")?.focus({ preventScroll: true });
  button.remove();
}

function counters(area) {
  const limit = Number(area.dataset.count);
  const number = one("[data-counter]", area.closest(".field"));
  if (!limit || !number) return;
  const typed = [...area.value].length; // Unicode scalar values, as the server counts
  number.textContent = new Intl.NumberFormat(locale()).format(typed);
  number.closest(".counter").classList.toggle("over", typed > limit);
  area.setCustomValidity(typed > limit ? `Too long by ${typed - limit} characters` : "");
}

export function start() {
  delegate("submit", "form[data-toggle]", (event, form) => { event.preventDefault(); toggle(form); });
  delegate("submit", "form[data-undo]", (event, form) => { event.preventDefault(); remove(form); });
  delegate("click", "[data-copy]", (_event, button) => {
    button.closest(":popover-open")?.hidePopover();
    copy(new URL(button.dataset.copy, location.href).href, "Link copied", "Copy the address from the address bar.");
  });
  delegate("click", "[data-copy-text]", (_event, button) => copy(button.dataset.copyText, "Copied", "Copy it from the field."));
  delegate("click", "[data-unclamp]", (_event, button) => unclamp(button));
  delegate("click", "[data-reveal]", (_event, button) => reveal(button));
  // Nobody's browser is to remember as text what was shown.
  delegate("submit", "form", (_event, form) => all("[data-reveal][aria-pressed=true]", form).forEach(reveal));
  delegate("click", "a[data-comment]", (_event, link) => {
    if (link.getAttribute("href").startsWith("#")) setTimeout(() => one("#comment-text")?.focus());
  });
  delegate("input", "textarea[data-count]", (_event, area) => counters(area));
  delegate("keydown", "textarea", (event, area) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      const form = area.form;
      form.requestSubmit(one("button.primary", form) ?? undefined);
    }
  });
  document.addEventListener("toggle", (event) => {
    if (event.target.matches?.("details.fold[open]")) one("textarea", event.target)?.focus();
  }, true);
  onPage((root) => all("textarea[data-count]", root).forEach(counters));
}
