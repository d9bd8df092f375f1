"""Who may do what, and what was done: roles, sign-in with lockout, API tokens, the audit trail.

Enters: users, the secrets of callers, and acts with who did them, why and from where. Leaves: a
`Role` that pages and API ask for, a `Caller` with scopes, and a trail that only grows, is chained
by the database and checked here. Depends on Django's auth and on monitoring's events; pages, api
and sse depend on it.
"""
