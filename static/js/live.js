// The live indicator, Pause, and events for regions that refresh themselves when a pushed one changed.
(() => {
  "use strict";

  const STALE_MS = 12_000;
  const DEAD_MS = 30_000;
  const RETRY_MS = 5_000;

  let connection = null; // of hx-sse; null while there is none
  let heard = 0; // when the stream last said anything
  let tried = 0; // when it was last opened
  let paused = false;
  let signedOut = false;

  const find = (id) => document.getElementById(id);
  const clock = (ms) => new Date(ms).toISOString().slice(11, 19);

  function start() {
    const stream = find("stream");
    if (!stream) return;
    heard = tried = Date.now();
    const pause = find("pause");
    pause.hidden = false;
    pause.addEventListener("click", () => setPaused(stream, !paused));
    stream.addEventListener("htmx:sse:before:connection", beforeConnection);
    stream.addEventListener("htmx:sse:after:connection", listen);
    stream.addEventListener("htmx:sse:before:message", () => { heard = Date.now(); show(); });
    stream.addEventListener("htmx:sse:after:message", pass);
    stream.addEventListener("htmx:sse:close", () => { connection = null; });
    stream.addEventListener("htmx:sse:error", refused);
    stream.addEventListener("htmx:response:error", refused);
    setInterval(() => tick(stream), 1_000);
  }

  function beforeConnection(event) {
    // hx-sse reconnects by itself after a cancelled read; Pause means that it does not.
    if (paused) event.preventDefault();
    else connection = event.detail.connection;
  }

  function listen(event) {
    connection = event.detail.connection;
    heard = tried = Date.now();
    show();
  }

  function refused(event) {
    const status = event.detail.status ?? event.detail.ctx?.response?.status;
    if (status === 401 || status === 403) signedOut = true;
    show();
  }

  // A region named `run-live` that was swapped tells the page by `live:run-live` on the body.
  function pass(event) {
    for (const [, id] of event.detail.message.data.matchAll(/hx-target="#([\w-]+)"/g)) {
      document.body.dispatchEvent(new CustomEvent(`live:${id}`));
    }
  }

  function setPaused(stream, on) {
    paused = on;
    const button = find("pause");
    button.setAttribute("aria-pressed", String(on));
    button.firstChild.textContent = on ? "Resume " : "Pause ";
    if (on) connection?.reader?.cancel();
    else connect(stream);
    show();
  }

  function connect(stream) {
    tried = Date.now();
    htmx.trigger(stream, "live:connect");
  }

  function tick(stream) {
    const now = Date.now();
    if (!paused && !signedOut && !document.hidden) {
      // hx-sse does not retry a first connection that failed, nor notice one that died silently.
      if (!connection && now - tried > RETRY_MS) connect(stream);
      else if (connection && now - heard > DEAD_MS && now - tried > DEAD_MS) {
        tried = now;
        connection.reader?.cancel();
      }
    }
    show();
  }

  function show() {
    const live = find("live");
    const age = Date.now() - heard;
    let state = "live";
    let text = `Live · ${age < 1_500 ? "now" : `${Math.floor(age / 1_000)} s ago`}`;
    if (signedOut) [state, text] = ["stale", `Signed out at ${clock(Date.now())}: reload to sign in`];
    else if (paused) [state, text] = ["paused", `Paused at ${clock(heard)} UTC`];
    else if (age > STALE_MS) [state, text] = ["stale", `Stale since ${clock(heard)} UTC`];
    else if (!connection) [state, text] = ["first", "Connecting…"];
    if (signedOut && live.dataset.live === "stale") return;
    // Only transitions are announced, not every second.
    if (live.dataset.live !== state && live.dataset.live !== "first") find("live-said").textContent = text;
    live.dataset.live = state;
    live.textContent = text;
  }

  document.addEventListener("DOMContentLoaded", start);
})();
