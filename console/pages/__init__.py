"""What an operator sees: one view module a page.

Enters: a request of a signed-in person. Leaves: HTML, whole or the part that htmx asked for, and
the live regions of `topics`. Depends on `validation`, `monitoring`, `console.http` and
`console.access`; nothing but `console.urls` depends on it.
"""
