// The reviewer's tools and keys. Without this script the page still works: buttons send, links open.
"use strict";
const $ = (selector, root = document) => root.querySelector(selector);
let current = null; // the pair before the reviewer, and what ends the listeners that its page put on the window
const begin = () => {
  const pair = $("[data-pair]");
  if (pair === current?.pair) return;
  current?.over.abort();
  current = pair && { pair, over: new AbortController() };
  if (pair) prepare(pair, current.over.signal);
};
const prepare = (pair, signal) => {
  const images = [...pair.querySelectorAll(".lens img")];
  const tools = $("[data-tools]");
  const range = { zoom: $("[data-zoom]"), bright: $("[data-bright]"), contrast: $("[data-contrast]") };
  let at = { x: 0, y: 0 };
  let mirrored = false; // photos of screens and selfies are often the wrong way round
  tools.hidden = false;

  // Both faces are zoomed and moved together, so that like stays beside like.
  const paint = () => {
    const zoom = Number(range.zoom.value);
    const most = ((zoom - 1) / (2 * zoom)) * 100;
    at = { x: Math.max(-most, Math.min(most, at.x)), y: Math.max(-most, Math.min(most, at.y)) };
    for (const image of images) {
      const flip = mirrored && image === images[0] ? " scaleX(-1)" : "";
      image.style.transform = `scale(${zoom}) translate(${at.x}%, ${at.y}%)${flip}`;
      image.style.filter = `brightness(${range.bright.value}) contrast(${range.contrast.value})`;
    }
  };
  Object.values(range).forEach((input) => input.addEventListener("input", paint));
  const zoomBy = (step) => {
    range.zoom.value = Number(range.zoom.value) + step;
    paint();
  };
  const reset = () => {
    Object.values(range).forEach((input) => (input.value = 1));
    at = { x: 0, y: 0 };
    paint();
  };
  const swap = () => pair.classList.toggle("swapped");
  const lines = () => $("[data-lines]").setAttribute("aria-pressed", String(pair.classList.toggle("lined")));
  const mirror = () => {
    mirrored = !mirrored;
    $("[data-mirror]").setAttribute("aria-pressed", String(mirrored));
    paint();
  };
  $("[data-mirror]").addEventListener("click", mirror);
  $("[data-reset]").addEventListener("click", reset);
  $("[data-swap]").addEventListener("click", swap);
  $("[data-lines]").addEventListener("click", lines);

  pair.addEventListener("wheel", (event) => {
    if (!event.ctrlKey && Number(range.zoom.value) === 1 && event.deltaY > 0) return; // the page scrolls on
    if (!event.target.closest(".lens")) return;
    event.preventDefault();
    zoomBy(event.deltaY < 0 ? 0.2 : -0.2);
  }, { passive: false });
  let held = null;
  pair.addEventListener("pointerdown", (event) => {
    if (event.target.closest(".lens") && Number(range.zoom.value) > 1) held = { x: event.clientX, y: event.clientY };
  });
  window.addEventListener("pointermove", (event) => {
    if (!held) return;
    const side = images[0].clientWidth * Number(range.zoom.value);
    at = { x: at.x + ((event.clientX - held.x) / side) * 100, y: at.y + ((event.clientY - held.y) / side) * 100 };
    held = { x: event.clientX, y: event.clientY };
    paint();
  }, { signal });
  window.addEventListener("pointerup", () => (held = null), { signal });

  // Whole photos open over the page; the case's other photos take the right side.
  const dialog = $("[data-dialog]");
  $("[data-close]").addEventListener("click", () => dialog.close());
  pair.addEventListener("click", (event) => {
    const whole = event.target.closest("[data-whole]");
    if (whole) {
      event.preventDefault();
      $("img", dialog).src = whole.href;
      dialog.showModal();
    }
    const other = event.target.closest("[data-photo]");
    if (other) {
      event.preventDefault();
      choose(other);
    }
  });
  const others = [...pair.querySelectorAll("[data-photo]")];
  const choose = (link) => {
    const figure = link.closest(".face");
    $("img", figure).src = link.href;
    $("[data-whole]", figure).href = `${link.href}&whole`;
    $("[data-taken]", figure).textContent = link.dataset.photo;
    others.forEach((one) => (one === link ? one.setAttribute("aria-current", "true") : one.removeAttribute("aria-current")));
  };
  const step = (by) => {
    const now = others.findIndex((one) => one.hasAttribute("aria-current"));
    if (others.length > 1) choose(others[(now + by + others.length) % others.length]);
  };

  // Single keys, which people who speak or use a switch can turn off (WCAG 2.1.4).
  const toggle = $("[data-keys-on]");
  const remembered = localStorage.getItem("review-keys");
  if (toggle) {
    $("[data-keys]").hidden = false;
    toggle.checked = remembered !== "off";
    toggle.addEventListener("change", () => localStorage.setItem("review-keys", toggle.checked ? "on" : "off"));
  }
  const isOn = () => (toggle ? toggle.checked : remembered !== "off");
  const own = { "+": () => zoomBy(0.4), "=": () => zoomBy(0.4), "-": () => zoomBy(-0.4), 0: reset, w: swap, m: mirror, g: lines,
    ArrowLeft: () => step(-1), ArrowRight: () => step(1), n: () => $("#note")?.focus() };
  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest("input, textarea, select, dialog[open]");
    if (typing && event.key === "Escape") event.target.blur();
    if (typing || event.ctrlKey || event.metaKey || event.altKey || event.repeat || !isOn()) return;
    if (event.key === "Enter" && event.target.closest("a, button, summary")) return;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    const button = $(`[data-key="${CSS.escape(key)}"]`);
    if (!button && !own[key]) return;
    event.preventDefault();
    if (button) button.click();
    else own[key]();
  }, { signal });

  const list = $("[data-checklist]");
  if (list) {
    list.open = localStorage.getItem("review-checklist") === "open";
    list.addEventListener("toggle", () => localStorage.setItem("review-checklist", list.open ? "open" : "shut"));
  }
};
begin();
document.addEventListener("htmx:load", begin); // the next pair came without a new page
