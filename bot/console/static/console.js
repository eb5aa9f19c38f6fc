// Small helps that every page may use; each page works without them.
//  data-confirm="words" on a form or button asks before sending.
//  data-once on a form sends it once, however often the button is pressed.
"use strict";
document.addEventListener("submit", (event) => {
  const form = event.target;
  const asks = event.submitter?.dataset.confirm ?? form.dataset.confirm;
  if (asks && !window.confirm(asks)) {
    event.preventDefault();
    return;
  }
  if (form.hasAttribute("data-once")) {
    if (form.dataset.sent) event.preventDefault();
    form.dataset.sent = "yes";
  }
});
// Where htmx put a whole page in the old one's place, readers go on at its beginning, as after a page's load.
document.addEventListener("htmx:afterSettle", (event) => {
  if (event.detail.target === document.body) document.querySelector("main").focus({ preventScroll: true });
});
// A page brought back by "back" may be sent again.
window.addEventListener("pageshow", () => document.querySelectorAll("form[data-sent]").forEach((form) => delete form.dataset.sent));
