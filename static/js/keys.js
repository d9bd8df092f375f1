// Single-key shortcuts. They can be switched off in the list that `?` opens; the browser remembers.
(() => {
  "use strict";

  const STORE = "switchyard-keys";
  const CHORD_MS = 1_500;
  let chordUntil = 0;

  const isOn = () => localStorage.getItem(STORE) !== "off";
  const isTyping = (element) => element.matches("input, textarea, select, [contenteditable]");
  const rows = () => [...document.querySelectorAll(".rows tbody tr:not(.area)")];

  function move(step) {
    const all = rows();
    if (!all.length) return;
    const at = all.findIndex((row) => row.hasAttribute("data-current"));
    const next = at < 0 ? (step > 0 ? 0 : all.length - 1) : Math.min(Math.max(at + step, 0), all.length - 1);
    all[at]?.removeAttribute("data-current");
    all[next].setAttribute("data-current", "");
    all[next].scrollIntoView({ block: "nearest" });
    all[next].querySelector("a")?.focus({ preventScroll: true });
  }

  function open() {
    document.querySelector(".rows tr[data-current] a")?.click();
  }

  const acts = {
    "/": () => document.querySelector("[data-search]")?.focus(),
    "?": () => document.getElementById("keys").showModal(),
    j: () => move(1),
    k: () => move(-1),
    p: () => document.getElementById("pause")?.click(),
    v: () => document.querySelector("[data-key=new]")?.click(),
  };

  document.addEventListener("keydown", (event) => {
    const plain = !event.ctrlKey && !event.metaKey && !event.altKey;
    if (!plain || !isOn() || isTyping(event.target) || document.querySelector("dialog[open]")) return;
    if (event.key === "Enter") {
      if (event.target === document.body) open();
      return;
    }
    if (Date.now() < chordUntil) {
      chordUntil = 0;
      document.querySelector(`.nav [data-key="${CSS.escape(event.key)}"]`)?.click();
      return;
    }
    if (event.key === "g") {
      chordUntil = Date.now() + CHORD_MS;
      return;
    }
    if (/^[1-5]$/.test(event.key)) {
      document.querySelector(`[data-range="${event.key}"]`)?.click();
      return;
    }
    const act = acts[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  });

  document.addEventListener("DOMContentLoaded", () => {
    const box = document.getElementById("keys-on");
    if (!box) return;
    box.checked = isOn();
    box.addEventListener("change", () => localStorage.setItem(STORE, box.checked ? "on" : "off"));
    document.documentElement.toggleAttribute("data-keys-off", !isOn());
    box.addEventListener("change", () => document.documentElement.toggleAttribute("data-keys-off", !isOn()));
  });
})();
