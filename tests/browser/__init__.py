"""Pages in a real Chromium, over a real web process, fleet and node."""
