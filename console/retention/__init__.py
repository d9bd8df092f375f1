"""How long runs, evidence, the audit trail and alerts are kept, and the dropping of what is older.

Enters: the settings RETAIN_*_DAYS and the time. Leaves: deleted rows, each batch with an audit
entry of its own that says what, how much and up to when. Depends on `console.access`,
`validation` and `monitoring`.
"""

from console.retention.dropping import Standing, Turn, standing, turn
from console.retention.record import KIND

__all__ = ["KIND", "Standing", "Turn", "standing", "turn"]
