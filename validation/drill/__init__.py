"""What a node would have to do to fool this deployment, found out by trying.

Enters: a node's address and the trust that the deployment has (chain, checkpoint). Leaves: for
every lie that is known here and every level, what became of the lie. The node is asked for true
answers once; lies are told on this side, between the client and what the node said, so that any
node will do and no node is asked to lie. Depends on the client, the validators and the lies of
`validation.devnode`; on neither Django nor Celery.
"""

from validation.drill.errors import DrillError
from validation.drill.gathering import Item, gather
from validation.drill.report import Cell, Report, Row, Shown, Told
from validation.drill.running import LEVELS, Trust, run
from validation.drill.tape import Tape, Truth
from validation.drill.whole import drill

__all__ = [
    "LEVELS",
    "Cell",
    "DrillError",
    "Item",
    "Report",
    "Row",
    "Shown",
    "Tape",
    "Told",
    "Trust",
    "Truth",
    "drill",
    "gather",
    "run",
]
