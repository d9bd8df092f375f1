"""Django's Postgres backend with a pool that waits within bounds, heals itself and can be measured.

Enters: the pool's settings by `console.database`, what flags decide by `console.flags.web`.
Leaves: connections to Django, which finds the backend by the name of this package; samples for the
publisher; `DatabaseAway`. Depends on `console.patience`, `validation.timeouts` and
`monitoring.instruments`. Only the web process uses it: a worker keeps one plain connection.
"""
