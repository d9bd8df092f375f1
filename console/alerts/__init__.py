"""What an operator does about alerts: acknowledges, silences, announces maintenance, tests the way.

Enter: an act, its reason, who acts. Leave: a row and its audit entry, in one transaction. Depends
on `console.controls` for reasons and roles, on `monitoring.models`; looks at nothing by itself.
"""

from console.alerts.acts import (
    KINDS,
    LONGEST_S,
    SHORTEST_S,
    UnknownAlert,
    acknowledge,
    end_silence,
    send_test,
    silence,
)

__all__ = [
    "KINDS",
    "LONGEST_S",
    "SHORTEST_S",
    "UnknownAlert",
    "acknowledge",
    "end_silence",
    "send_test",
    "silence",
]
