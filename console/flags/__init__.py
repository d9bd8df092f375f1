"""Flags: defined in Postgres, decided in each process, changed by stages, served over OFREP.

Enters: definitions in flagd's format, and what operators want of them. Leaves: the provider that
`openfeature.api` asks, evaluations for other services, one revision and audit entry a change.
Depends on `console.access` and `console.controls`; pages, API and commands depend on it.
"""
