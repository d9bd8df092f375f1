// Keeps "3 min ago" true while the page is open, and says exact moments in the reader's own zone too.
(() => {
  "use strict";

  const THIN = "\u202f";
  const UNITS = [[86_400, "d"], [3_600, "h"], [60, "min"]];

  function ago(seconds) {
    if (seconds < 1) return "now";
    for (const [size, unit] of UNITS) {
      if (seconds >= size) return `${Math.floor(seconds / size)}${THIN}${unit} ago`;
    }
    return `${Math.floor(seconds)}${THIN}s ago`;
  }

  function refresh() {
    if (document.hidden) return;
    for (const time of document.querySelectorAll("time[data-relative]")) {
      const moment = Date.parse(time.dateTime);
      const text = ago((Date.now() - moment) / 1_000);
      if (time.textContent !== text) time.textContent = text;
    }
  }

  document.addEventListener("DOMContentLoaded", () => {
    refresh();
    setInterval(refresh, 1_000);
  });
})();
