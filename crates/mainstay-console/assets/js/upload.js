// Writing a post: pictures are uploaded while one writes, with progress in numbers; order and words can change.

import { all, bytes, icon, make, meta, one, onPage, say, toast } from "/assets/ui.js";

const PARALLEL = 2;
let made = 0;

function setUp(form) {
  if (form.dataset.ready) return;
  form.dataset.ready = "1";
  const box = one("[data-uploader]", form);
  const list = one("[data-uploads]", box);
  const max = Number(box.dataset.max);
  const state = { form, list, url: box.dataset.uploader, queue: [], running: 0 };
  all("[data-upload]", list).forEach((line) => line.append(acts(state, line)));
  order(state);
  keepWords(form);
  const pick = one('input[type="file"]', box);
  if (!pick) return;
  pick.removeAttribute("name"); // the ids are sent instead of the files
  const add = (files) => {
    const room = max - list.children.length;
    if (files.length > room) toast(`A post takes ${max} pictures or films; ${files.length - room} were left out.`);
    [...files].slice(0, Math.max(0, room)).forEach((file) => enqueue(state, file));
  };
  const take = () => { add(pick.files); pick.value = ""; };
  pick.addEventListener("change", take);
  if (pick.files.length) take(); // chosen before this script was there
  const drop = one("[data-drop]", box);
  form.addEventListener("dragover", (event) => { event.preventDefault(); drop.classList.add("over"); });
  form.addEventListener("dragleave", (event) => { if (!form.contains(event.relatedTarget)) drop.classList.remove("over"); });
  form.addEventListener("drop", (event) => { event.preventDefault(); drop.classList.remove("over"); add(event.dataTransfer.files); });
  form.addEventListener("paste", (event) => { if (event.clipboardData.files.length) { event.preventDefault(); add(event.clipboardData.files); } });
  form.addEventListener("submit", (event) => {
    const left = state.queue.length + state.running;
    if (!left) return;
    event.preventDefault();
    toast(left === 1 ? "One upload is not finished. Wait for it, or remove it." : `${left} uploads are not finished. Wait for them, or remove them.`);
  }, { capture: true });
}

function enqueue(state, file) {
  const id = `up-${++made}`;
  const preview = file.type.startsWith("image/") ? make("img", { class: "upload-preview", alt: "", width: 72, height: 72 }) : make("span", { class: "upload-preview" }, icon("play"));
  if (preview.tagName === "IMG") {
    preview.src = URL.createObjectURL(file);
    preview.addEventListener("error", () => preview.replaceWith(make("span", { class: "upload-preview" }, icon("image"))), { once: true });
    preview.addEventListener("load", () => URL.revokeObjectURL(preview.src), { once: true });
  }
  const bar = make("progress", { max: 100, value: 0, "aria-label": `Upload of ${file.name}` });
  const told = make("p", { class: "hint" }, `Waiting · ${bytes(file.size)}`);
  const body = make("div", { class: "field grow" }, bar, told);
  const line = make("li", { class: "upload", "data-upload": true }, preview, body);
  line.append(acts(state, line));
  state.list.append(line);
  state.queue.push({ file, line, bar, told, body, id });
  order(state);
  pump(state);
}

function pump(state) {
  while (state.running < PARALLEL && state.queue.length) {
    state.running += 1;
    send(state, state.queue.shift());
  }
  const left = state.queue.length + state.running;
  one("[data-upload-status]", state.form).textContent = left ? `Uploading ${left}…` : "";
}

function send(state, job) {
  const request = new XMLHttpRequest(); // fetch tells nothing about how much was sent
  const body = new FormData();
  body.append("file", job.file);
  const done = () => { state.running -= 1; pump(state); };
  request.upload.addEventListener("progress", ({ loaded, total }) => {
    job.bar.value = (loaded / total) * 100;
    job.told.textContent = loaded < total ? `${bytes(loaded)} of ${bytes(total)}` : "Preparing…";
  });
  request.addEventListener("load", () => {
    done();
    if (request.status === 201) finished(job, JSON.parse(request.responseText));
    else failed(state, job, reason(request));
  });
  request.addEventListener("error", () => { done(); failed(state, job, "The server could not be reached."); });
  request.addEventListener("abort", done);
  job.line.addEventListener("upload:removed", () => request.abort());
  request.open("POST", state.url);
  request.setRequestHeader("X-CSRF-Token", meta("csrf"));
  request.setRequestHeader("Accept", "application/json");
  request.send(body);
}

function reason(request) {
  try {
    const problem = JSON.parse(request.responseText);
    return problem.errors?.[0]?.detail ?? problem.detail ?? problem.title;
  } catch {
    return `The server answered ${request.status}.`;
  }
}

function finished(job, media) {
  const words = make("input", { class: "input", id: job.id, name: "alt", dir: "auto", autocomplete: "off", placeholder: "For those who do not see it" });
  job.body.replaceChildren(make("label", { for: job.id }, "Description"), words);
  job.line.prepend(make("input", { type: "hidden", name: "media", value: media.id }));
  say(`${job.file.name} is uploaded`);
}

function failed(state, job, why) {
  job.line.classList.add("failed");
  const again = make("button", { type: "button", class: "button small", click: () => {
    job.line.remove();
    enqueue(state, job.file);
  } }, "Try again");
  job.body.replaceChildren(make("p", { class: "field-error" }, icon("triangle-alert"), `${job.file.name}: ${why}`), make("div", { class: "row" }, again));
  say(why);
}

function acts(state, line) {
  const shift = (by) => {
    const other = by < 0 ? line.previousElementSibling : line.nextElementSibling;
    if (!other) return;
    if (by < 0) other.before(line); else other.after(line);
    order(state);
    say(`Moved to place ${[...state.list.children].indexOf(line) + 1}`);
  };
  const button = (label, name, act, kind) => make("button", { type: "button", class: "icon-button", "aria-label": label, "data-act": kind, click: act }, icon(name));
  const remove = () => {
    const index = state.queue.findIndex((job) => job.line === line);
    if (index >= 0) state.queue.splice(index, 1);
    line.dispatchEvent(new CustomEvent("upload:removed"));
    line.remove();
    order(state);
    pump(state);
    one('input[type="file"]', state.form)?.focus();
  };
  return make("div", { class: "upload-acts" }, button("Move up", "arrow-up", () => shift(-1), "up"), button("Move down", "arrow-down", () => shift(1), "down"), button("Remove", "x", remove, "remove"));
}

function order(state) {
  const lines = [...state.list.children];
  lines.forEach((line, index) => {
    const set = (kind, off) => { const button = one(`[data-act="${kind}"]`, line); if (button) button.disabled = off; };
    set("up", index === 0);
    set("down", index === lines.length - 1);
  });
  state.list.hidden = lines.length === 0;
}

/** What was typed survives a closed tab, until it is sent. */
function keepWords(form) {
  const name = form.dataset.keep;
  const area = one("textarea", form);
  if (!name || !area) return;
  const key = `${name}:${meta("viewer")}`;
  if (!area.value && localStorage.getItem(key)) {
    area.value = localStorage.getItem(key);
    area.dispatchEvent(new Event("input", { bubbles: true }));
  }
  area.addEventListener("input", () => { if (area.value) localStorage.setItem(key, area.value); else localStorage.removeItem(key); });
  form.addEventListener("form:done", () => { if (!form.isConnected && !one("[data-compose] [aria-invalid], [data-compose] .notice")) localStorage.removeItem(key); });
}

/** The server speaks UTC; the fields speak the reader's zone. */
function localTime(form) {
  form.dataset.zoned = ""; // a page that is shown again was read already
  const local = (utc) => {
    const at = new Date(`${utc}Z`);
    return new Date(at - at.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
  };
  const fields = all("[data-instant]", form);
  for (const field of fields) {
    if (field.value) field.value = local(field.value);
    if (field.min) field.min = local(field.min);
  }
  for (const zone of all("[data-zone]", form)) zone.textContent = Intl.DateTimeFormat().resolvedOptions().timeZone.replace("_", " ");
  form.addEventListener("form:data", (event) => {
    for (const field of fields) if (field.value) event.detail.set(field.name, new Date(field.value).toISOString());
  });
}

function previewAvatar(box) {
  const pick = one('input[type="file"]', box);
  pick.addEventListener("change", () => {
    if (!pick.files[0]) return;
    const fresh = make("img", { class: "avatar avatar-l", alt: "", src: URL.createObjectURL(pick.files[0]), width: 96, height: 96 });
    one(".avatar", box).replaceWith(fresh);
  });
}

export function start() {
  onPage((root) => {
    all("form[data-compose]", root).forEach(setUp);
    all("form:has([data-instant]):not([data-zoned])", root).forEach(localTime);
    all("[data-avatar]", root).forEach(previewAvatar);
  });
}
