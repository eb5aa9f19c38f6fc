// The public form: finds the proof of work before sending, and says at once when a photo is too large.
"use strict";

// SHA-256 (FIPS 180-4) of an ASCII text shorter than 2^28 bytes. Not crypto.subtle: that is missing on plain http, and asynchronous.
const K = [];
const H0 = [];
(() => {
  const fraction = (x) => Math.floor((x - Math.floor(x)) * 4294967296);
  for (let n = 2; K.length < 64; n += 1) {
    let prime = true;
    for (let d = 2; d * d <= n; d += 1) if (n % d === 0) { prime = false; break; }
    if (!prime) continue;
    if (H0.length < 8) H0.push(fraction(Math.sqrt(n)));
    K.push(fraction(Math.cbrt(n)));
  }
})();

function sha256(text) {
  const length = text.length;
  const blocks = ((length + 8) >> 6) + 1;
  const words = new Uint32Array(blocks * 16);
  for (let i = 0; i < length; i += 1) words[i >> 2] |= text.charCodeAt(i) << (24 - (i & 3) * 8);
  words[length >> 2] |= 0x80 << (24 - (length & 3) * 8);
  words[blocks * 16 - 1] = length * 8;
  const h = Uint32Array.from(H0);
  const w = new Uint32Array(64);
  const turn = (x, n) => (x >>> n) | (x << (32 - n));
  for (let block = 0; block < blocks; block += 1) {
    for (let t = 0; t < 16; t += 1) w[t] = words[block * 16 + t];
    for (let t = 16; t < 64; t += 1) {
      const s0 = turn(w[t - 15], 7) ^ turn(w[t - 15], 18) ^ (w[t - 15] >>> 3);
      const s1 = turn(w[t - 2], 17) ^ turn(w[t - 2], 19) ^ (w[t - 2] >>> 10);
      w[t] = w[t - 16] + s0 + w[t - 7] + s1;
    }
    let [a, b, c, d, e, f, g, k] = h;
    for (let t = 0; t < 64; t += 1) {
      const one = (k + (turn(e, 6) ^ turn(e, 11) ^ turn(e, 25)) + ((e & f) ^ (~e & g)) + K[t] + w[t]) | 0;
      const two = ((turn(a, 2) ^ turn(a, 13) ^ turn(a, 22)) + ((a & b) ^ (a & c) ^ (b & c))) | 0;
      k = g; g = f; f = e; e = (d + one) | 0; d = c; c = b; b = a; a = (one + two) | 0;
    }
    h[0] += a; h[1] += b; h[2] += c; h[3] += d; h[4] += e; h[5] += f; h[6] += g; h[7] += k;
  }
  return h;
}

const form = document.getElementById("intake");
const photos = document.getElementById("photos");
const warning = document.getElementById("too-large");

function fits() {
  const files = [...photos.files];
  const ok = files.length <= Number(form.dataset.maxPhotos) && files.every((file) => file.size <= Number(form.dataset.maxBytes));
  warning.hidden = ok;
  return ok;
}
photos.addEventListener("change", fits);

// Work in slices of 20 ms from the moment the page is there, so that typing stays smooth and sending waits for nothing.
const found = new Promise((resolve) => {
  const bits = Number(form.dataset.bits);
  let number = 0;
  const slice = () => {
    const until = performance.now() + 20;
    while (performance.now() < until) {
      for (let i = 0; i < 100; i += 1, number += 1) {
        if (sha256(`${form.dataset.challenge}:${number}`)[0] >>> (32 - bits) === 0) {
          form.elements.proof.value = String(number);
          resolve();
          return;
        }
      }
    }
    setTimeout(slice, 0);
  };
  slice();
});

form.addEventListener("submit", (event) => {
  if (!fits()) {
    event.preventDefault();
    event.stopImmediatePropagation();
    photos.focus();
    return;
  }
  document.getElementById("working").hidden = false;
  if (form.elements.proof.value) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  found.then(() => form.requestSubmit());
});
