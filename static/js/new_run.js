// The start button counts what it will start; a large paste is not sent along just to be counted.
(() => {
  "use strict";

  const PREVIEW_CHARACTERS = 2_000_000;
  const THIN = "\u202f";
  const grouped = (number) => String(number).replace(/\B(?=(\d{3})+$)/g, THIN);
  const find = (id) => document.getElementById(id);
  const source = () => document.querySelector("[name=source]:checked")?.value;

  function range() {
    const [first, last] = ["id_first", "id_last"].map((id) => find(id).value.trim());
    const known = /^\d{1,18}$/.test(first) && /^\d{1,18}$/.test(last);
    const size = known ? Number(BigInt(last) - BigInt(first)) + 1 : 0;
    return size > 0 ? size : 0;
  }

  function label() {
    const button = find("start").querySelector("span");
    const bold = find("preview").querySelector("b");
    let what = "";
    if (source() === "range" && range()) what = `${grouped(range())} block${range() === 1 ? "" : "s"}`;
    else if (source() === "paste" && bold) what = bold.textContent;
    else if (source() === "file" && find("id_file").files.length) what = `with ${find("id_file").files[0].name}`;
    button.textContent = what ? `Start ${what}` : "Start";
    find("range-count").textContent = range() ? `${grouped(range())} block${range() === 1 ? "" : "s"}` : "";
  }

  document.addEventListener("htmx:config:request", (event) => {
    const text = find("id_text");
    if (event.detail.ctx.sourceElement !== text || text.value.length <= PREVIEW_CHARACTERS) return;
    event.preventDefault();
    find("preview").textContent = "Too long to count here: it is counted when you start.";
  });
  document.addEventListener("htmx:after:swap", label);
  document.addEventListener("DOMContentLoaded", () => {
    find("new-run").addEventListener("input", label);
    find("new-run").addEventListener("submit", () => { find("start").setAttribute("aria-disabled", "true"); });
    label();
  });
})();
