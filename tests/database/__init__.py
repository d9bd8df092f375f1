"""The web process and its database: pools, timeouts, exhaustion, and a Postgres that goes away."""
