"""Django's router: which database a query goes to."""

from typing import Any, Final

from django.db import DEFAULT_DB_ALIAS, connections
from django.db.models import Model

from console.replicas import reading

# What a run left behind. All else (people, sessions, wishes, flags, nodes, alerts, the audit trail)
# decides something, and is read where it was written.
_SAFE: Final = frozenset(
    {
        *("Run", "Chunk", "Item", "Result", "CheckProfile", "Evidence"),
        *("Catch", "Anchor", "Orphan", "Retraction"),
    }
)
_APP: Final = "validation"


class ReplicaRouter:
    """Writes go to the primary; so do reads, but for safe ones within a request that may stray."""

    def db_for_read(self, model: type[Model], **_hints: Any) -> str:
        meta = model._meta  # noqa: SLF001 - Django's own name for what is public
        if meta.app_label != _APP or meta.object_name not in _SAFE:
            return DEFAULT_DB_ALIAS
        # A transaction sees what it wrote.
        if connections[DEFAULT_DB_ALIAS].in_atomic_block:
            return DEFAULT_DB_ALIAS
        return reading.alias()

    def db_for_write(self, _model: type[Model], **_hints: Any) -> str:
        return DEFAULT_DB_ALIAS

    def allow_relation(self, _one: Model, _other: Model, **_hints: Any) -> bool:
        """They are rows of one database, wherever they were read."""
        return True

    def allow_migrate(self, db: str, _app_label: str, **_hints: Any) -> bool:
        return db == DEFAULT_DB_ALIAS
