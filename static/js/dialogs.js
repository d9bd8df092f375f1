// Opens confirm pages as dialogs, dismisses messages, copies, closes menus. Without it pages still work.
(() => {
  "use strict";

  // What needs this script is hidden without it; a live region brings it hidden again.
  const reveal = () => {
    for (const shown of document.querySelectorAll("[data-dismiss], [data-opens], [data-copies]")) shown.hidden = false;
  };

  document.addEventListener("htmx:after:swap", reveal);
  document.addEventListener("htmx:after:swap", (event) => {
    const target = event.detail?.ctx?.target ?? event.target;
    if (target?.id !== "dialog-body") return;
    const dialog = document.getElementById("dialog");
    const title = dialog.querySelector("h1");
    if (title) dialog.setAttribute("aria-label", title.textContent);
    if (!dialog.open) dialog.showModal();
  });

  // Of links that open a dialog the last one followed counts: what comes late, or for the second
  // time, would take the place of a dialog that is being filled in.
  let asked = null;
  document.addEventListener("htmx:config:request", ({ detail: { ctx } }) => {
    if (ctx.target?.id !== "dialog-body" || ctx.sourceElement.nodeName !== "A") return;
    asked?.request.abort();
    asked = ctx;
  });

  document.addEventListener("click", (event) => {
    const target = event.target instanceof Element ? event.target : null;
    if (!target) return;
    const opener = target.closest("[data-opens]");
    if (opener) document.getElementById(opener.dataset.opens).showModal();
    // In a dialog "Keep it" closes; on the page of its own it is a link back.
    const closer = target.closest("dialog [data-closes]");
    if (closer) {
      event.preventDefault();
      closer.closest("dialog").close();
    }
    if (target.nodeName === "DIALOG") target.close();
    target.closest("[data-dismiss]")?.parentElement.remove();
    const copier = target.closest("[data-copies]");
    if (copier) copy(copier);
    for (const menu of document.querySelectorAll("details.menu[open]")) {
      if (!menu.contains(target) || opener) menu.open = false;
    }
  });

  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    for (const menu of document.querySelectorAll("details.menu[open]")) {
      menu.open = false;
      menu.querySelector("summary").focus();
    }
  });

  async function copy(button) {
    const text = document.getElementById(button.dataset.copies).textContent.trim();
    const said = button.querySelector("[data-said]") ?? button;
    const before = said.textContent;
    try {
      await navigator.clipboard.writeText(text);
      said.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(document.getElementById(button.dataset.copies));
      said.textContent = "Selected: press Ctrl-C";
    }
    setTimeout(() => { said.textContent = before; }, 2_000);
  }

  document.addEventListener("DOMContentLoaded", () => {
    // htmx wires the page by a timer: on a busy machine a quick hand is before it. One by one, as
    // the page processed twice would have two streams.
    for (const asks of document.querySelectorAll("[hx-get], [hx-post]")) htmx.process(asks);
    // Undo without being asked again is for the moment after; Revert stays in the history.
    for (const brief of document.querySelectorAll("[data-goes-after]")) {
      setTimeout(() => brief.remove(), 1_000 * brief.dataset.goesAfter);
    }
    reveal();
  });
})();
