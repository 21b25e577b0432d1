// Pictures: the row that scrolls, and the view that fills the screen.

import { all, delegate, icon, make, one, onPage } from "/assets/ui.js";

let pictures = [], at = 0;

function draw() {
  const link = pictures[at];
  const photo = one(".photo", link);
  const many = pictures.length > 1;
  const full = make("img", { src: link.href, alt: photo.alt, width: link.dataset.width, height: link.dataset.height });
  const step = (by, label, name, place) => make("button", { type: "button", class: `round ${place}`, "aria-label": label, click: () => move(by) }, icon(name));
  const words = [many ? `${at + 1} of ${pictures.length}` : "", photo.alt].filter(Boolean).join(" · ");
  one("#viewer").replaceChildren(
    make("figure", {}, full, make("figcaption", {}, words)),
    make("button", { type: "button", class: "round shut", "aria-label": "Close", click: () => one("#viewer").close() }, icon("x")),
    ...(many ? [step(-1, "Previous picture", "chevron-left", "prev"), step(1, "Next picture", "chevron-right", "next")] : []),
  );
}

function move(by) {
  at = (at + by + pictures.length) % pictures.length;
  const place = by < 0 ? ".prev" : ".next";
  draw();
  one(`#viewer ${place}`)?.focus();
}

function ends(row) {
  const cells = one(".gallery-cells", row);
  const [prev, next] = [one(".prev", row), one(".next", row)];
  if (!prev) return;
  prev.disabled = cells.scrollLeft < 8;
  next.disabled = cells.scrollLeft > cells.scrollWidth - cells.clientWidth - 8;
}

export function start() {
  delegate("click", "a[data-view]", (event, link) => {
    if (event.metaKey || event.ctrlKey || event.shiftKey) return;
    event.preventDefault();
    pictures = all("a[data-view]", link.closest("[data-gallery]"));
    at = pictures.indexOf(link);
    draw();
    one("#viewer").showModal();
  });
  one("#viewer").addEventListener("keydown", (event) => {
    if (pictures.length < 2) return;
    if (event.key === "ArrowRight") move(1);
    if (event.key === "ArrowLeft") move(-1);
  });
  one("#viewer").addEventListener("click", (event) => { if (event.target.matches("figure, dialog")) one("#viewer").close(); });
  delegate("click", "[data-scroll]", (_event, button) => {
    const cells = one(".gallery-cells", button.closest(".gallery"));
    cells.scrollBy({ left: Number(button.dataset.scroll) * cells.clientWidth * 0.8 });
  });
  document.addEventListener("scroll", (event) => {
    if (event.target.matches?.(".gallery-cells")) ends(event.target.closest(".gallery"));
  }, { capture: true, passive: true });
  onPage((root) => all(".gallery-row", root).forEach(ends));
}
