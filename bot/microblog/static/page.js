"use strict";
// Keeps the timeline and the inboxes fresh, and helps with writing. The page works without it.

const EVERY_MS = 2000;
const form = document.querySelector("form.compose");
const text = document.getElementById("text");
const hints = JSON.parse(form.dataset.hints);
const side = () => form.elements.side.value;

// --- writing ---

function insert(kind) {
  const piece = hints[side()][kind];
  const at = text.selectionStart ?? text.value.length;
  const gap = at > 0 && !/\s$/.test(text.value.slice(0, at)) ? " " : "";
  text.setRangeText(gap + piece, at, text.selectionEnd ?? at, "end");
  text.focus();
  count();
}

function count() {
  const wide = [...text.value].reduce((sum, c) => sum + (c.codePointAt(0) < 128 ? 1 : 2), 0);
  document.getElementById("count").value = side() === "x" ? `${wide} / 280` : `${Math.ceil(wide / 2)} / 140`;
}

function preview() {
  const box = document.getElementById("preview");
  for (const image of box.children) URL.revokeObjectURL(image.src);
  box.replaceChildren(...[...form.elements.photos.files].map((file) => {
    const image = new Image();
    image.src = URL.createObjectURL(file);
    image.alt = "";
    return image;
  }));
}

for (const button of form.querySelectorAll("[data-insert]")) {
  button.addEventListener("click", () => insert(button.dataset.insert));
}
for (const radio of form.elements.side) radio.addEventListener("change", count);
text.addEventListener("input", count);
form.elements.photos.addEventListener("change", preview);
form.addEventListener("submit", () => { form.querySelector(".send").disabled = true; });
addEventListener("pageshow", () => { form.querySelector(".send").disabled = false; });
count();
preview();

// --- reading ---

let tag = "";

// Takes over what changed, element by element, so that pictures neither reload nor jump.
function take(part, fresh, first) {
  const old = document.querySelector(`[data-part="${part}"]`);
  const known = new Map([...old.children].map((child) => [child.id, child]));
  const wanted = [...fresh.children].map((child) => {
    const have = known.get(child.id);
    if (child.id && have && have.outerHTML.replace(" arrived", "") === child.outerHTML) return have;
    if (!first && child.matches("article")) child.classList.add("arrived");
    return document.importNode(child, true);
  });
  wanted.forEach((child, at) => {
    if (old.children[at] !== child) old.insertBefore(child, old.children[at] ?? null);
  });
  while (old.children.length > wanted.length) old.lastElementChild.remove();
}

function announce(before) {
  const now = Number(document.querySelector("[data-answered]").dataset.answered);
  if (now > before) document.getElementById("live").textContent = `机器人答复了 ${now - before} 条 (${now - before} new answers)`;
  return now;
}

let answered = Number(document.querySelector("[data-answered]").dataset.answered);

async function refresh() {
  try {
    const answer = await fetch("/_world/timeline", { headers: tag ? { "If-None-Match": tag } : {} });
    if (answer.status === 200) {
      const first = tag === "";
      tag = answer.headers.get("ETag") ?? "";
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
      for (const part of fresh.querySelectorAll("[data-part]")) take(part.dataset.part, part, first);
      answered = announce(answered);
    }
  } catch {
    // The server is away for a moment; the next round tries again.
  }
  setTimeout(refresh, document.hidden ? 4 * EVERY_MS : EVERY_MS);
}

refresh();
