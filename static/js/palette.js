// Ctrl-K: finds anything by name. Without it the same form is the page /find/.
(() => {
  "use strict";

  const find = (id) => document.getElementById(id);
  const links = () => [...document.querySelectorAll("#palette-found a")];

  function open() {
    const dialog = find("palette");
    if (dialog.open || document.querySelector("dialog[open]")) return;
    const field = find("palette-q");
    dialog.showModal();
    field.select();
    htmx.trigger(field, "palette:open");
  }

  // From the input down into the list, and back up to it.
  function move(step) {
    const all = [find("palette-q"), ...links()];
    const at = all.indexOf(document.activeElement);
    all[Math.min(Math.max(at + step, 0), all.length - 1)].focus();
  }

  document.addEventListener("keydown", (event) => {
    if (event.key.toLowerCase() === "k" && (event.ctrlKey || event.metaKey) && !event.altKey && !event.shiftKey) {
      event.preventDefault();
      open();
      return;
    }
    if (!find("palette")?.open) return;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) {
      event.preventDefault();
      move(step);
    } else if (event.key === "Enter" && event.target === find("palette-q") && links().length) {
      event.preventDefault();
      links()[0].click();
    }
  });

  document.addEventListener("click", (event) => {
    const opener = event.target instanceof Element && event.target.closest("[data-finds]");
    if (!opener || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    open();
  });
})();
