"""Asks the servers that everything runs on how they are: Postgres, Valkey, the queue of Celery.

Enter: one bounded look at a source. Leave: a typed sample, or the words why there is none; `told`
keeps the newest on the cache server, with its age. One module a source. Imports nothing above
`monitoring`: what only others know comes from what they give to `monitoring.collecting`.
"""
