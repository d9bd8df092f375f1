"""What is validated, and the engine that does it.

Enters: subjects to validate. Leaves: verdicts in Postgres. Depends on `monitoring`; only
`console` depends on it. `rpc`, `validators` and `devnode` need neither Django nor Celery.
"""
