"""Who may do what: roles, sign-in with lockout, API tokens.

Enters: users and the secrets of callers. Leaves: a `Role` that pages and API ask for. Depends on
Django's auth alone; pages, api and sse depend on it.
"""
