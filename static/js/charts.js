// Draws figures over time where the server drew a small line: one cursor for all, drag to zoom.
(() => {
  "use strict";

  const HEIGHT = 120;
  const LEAST_S = 60;
  const NARROW = 200;
  const THIN = "\u202f";
  const UNITS = [[1e9, "G"], [1e6, "M"], [1e3, "k"]];

  const short = (value) => {
    const [size, letter] = UNITS.find(([least]) => Math.abs(value) >= least) ?? [1, ""];
    return `${Number((value / size).toPrecision(3))}${letter}`;
  };
  const spell = {
    count: short,
    bytes: (value) => `${short(value)}B`,
    rate: (value) => `${short(value)}/s`,
    share: (value) => `${Number((100 * value).toPrecision(3))}${THIN}%`,
    seconds: (value) => (value >= 120 ? `${short(value / 60)}${THIN}min` : `${short(value)}${THIN}s`),
  };

  const two = (number) => String(number).padStart(2, "0");
  const day = (at) => `${two(at.getUTCMonth() + 1)}-${two(at.getUTCDate())}`;
  const time = (at) => `${two(at.getUTCHours())}:${two(at.getUTCMinutes())}`;

  function ticks(_plot, moments, _axis, _space, step) {
    return moments.map((moment) => {
      const at = new Date(moment * 1_000);
      return step >= 86_400 || (at.getUTCHours() === 0 && at.getUTCMinutes() === 0) ? day(at) : time(at);
    });
  }

  // The address says what is shown: to see less of it is to go there.
  function zoom(plot) {
    if (plot.select.width < 8) return;
    const from = plot.posToVal(plot.select.left, "x");
    const to = Math.max(plot.posToVal(plot.select.left + plot.select.width, "x"), from + LEAST_S);
    const address = new URL(location.href);
    address.searchParams.delete("range");
    address.searchParams.set("from", iso(from));
    address.searchParams.set("to", iso(to));
    location.assign(address);
  }

  const iso = (seconds) => `${new Date(seconds * 1_000).toISOString().slice(0, 19)}Z`;

  function options(line, data, width, show) {
    const style = getComputedStyle(document.documentElement);
    const probe = document.querySelector("[data-charts]");
    // A token may be light-dark(): what a browser makes of it is asked of an element.
    const colour = (name) => {
      probe.style.setProperty("outline-color", `var(${name})`);
      const found = getComputedStyle(probe).outlineColor;
      probe.style.removeProperty("outline-color");
      return found;
    };
    const words = `12px ${style.getPropertyValue("--font")}`;
    const grid = { stroke: colour("--line"), width: 1 };
    const axis = { stroke: colour("--ink-3"), font: words, grid, ticks: { show: false } };
    const write = spell[line.unit] ?? short;
    return {
      width,
      height: HEIGHT,
      legend: { show: false },
      cursor: { sync: { key: "charts" }, drag: { x: true, y: false, setScale: false }, points: { size: 6 } },
      tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1_000), "Etc/UTC"),
      scales: { x: { range: [data.begins, data.ends] }, y: { range: (_plot, _low, high) => [0, high > 0 ? high * 1.1 : 1] } },
      axes: [
        { ...axis, values: ticks, space: width < NARROW ? 70 : 56, size: 24 },
        { ...axis, values: (_plot, values) => values.map(write), size: 52, space: 32 },
      ],
      series: [{}, { stroke: colour("--ink"), width: 1.25, points: { size: 3, fill: colour("--ink") } }],
      hooks: { setSelect: [zoom], setCursor: [(plot) => show(plot, write)] },
    };
  }

  // Beside the title: what the line says where the pointer is. The server's words are kept from the
  // first drawing: when it is drawn again the pointer may have put others there.
  const written = new WeakMap();
  function teller(cell) {
    const said = cell.querySelector(".chart-figures");
    if (!written.has(cell)) written.set(cell, [...said.childNodes].map((node) => node.cloneNode(true)));
    const usual = written.get(cell);
    return (plot, write) => {
      const place = plot.cursor.idx;
      if (place === null || place === undefined) {
        said.replaceChildren(...usual.map((node) => node.cloneNode(true)));
        return;
      }
      const value = plot.data[1][place];
      const at = new Date(plot.data[0][place] * 1_000);
      const figure = document.createElement("b");
      figure.textContent = value === null || value === undefined ? "no data" : write(value);
      const when = document.createElement("span");
      when.className = "dim";
      when.textContent = ` ${day(at)} ${time(at)} UTC`;
      said.replaceChildren(figure, when);
    };
  }

  function draw(panel) {
    const data = JSON.parse(document.getElementById(panel.dataset.charts).textContent);
    const plots = [];
    for (const cell of panel.querySelectorAll(".chart-cell")) {
      const place = cell.querySelector(".chart-place");
      const line = data.lines[Number(cell.dataset.line)];
      if (!place || !line.points.length) continue;
      place.classList.add("drawn");
      place.replaceChildren();
      const made = options(line, data, place.clientWidth, teller(cell));
      plots.push([new uPlot(made, [data.at, line.points], place), place]);
    }
    return plots;
  }

  function start() {
    const panel = document.querySelector("[data-charts]");
    if (!panel || typeof uPlot === "undefined") return;
    let plots = draw(panel);
    let width = panel.clientWidth;
    const again = () => {
      for (const [plot] of plots) plot.destroy();
      plots = draw(panel);
    };
    new ResizeObserver(() => {
      if (panel.clientWidth === width) return;
      width = panel.clientWidth;
      for (const [plot, place] of plots) plot.setSize({ width: place.clientWidth, height: HEIGHT });
    }).observe(panel);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", again);
    // The words of the axes are measured: with a font that comes late they would be cut.
    document.fonts.ready.then(again);
  }

  document.addEventListener("DOMContentLoaded", start);
})();
