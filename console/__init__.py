"""The Django project and everything an operator touches: pages, API, sign-in, streams.

Enters: HTTP and the command line. Leaves: calls to `validation.services`. Depends on
`validation` and `monitoring`; nothing depends on it.
"""
