"""`/api/v1/`: what the pages do, for programs.

Enters: requests with a token or a session. Leaves: JSON, NDJSON streams and problems (RFC 9457).
Depends on `console.access` for callers, on `validation.services` for every act; nothing depends
on it.
"""
