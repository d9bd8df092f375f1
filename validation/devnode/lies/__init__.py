"""What the node can say instead of the truth: one function a lie, all of them in one table.

In: the true reply, the calls it answers, and a stock of other true answers. Out: the reply that is
sent. `LIES` is what `devnode --list-lies` prints and what a drill walks through; adding a lie is a
function in `results` (a field altered), `foreign` (the truth about something else), `accounts`,
`forgeries` (a block that holds together) or `replies`, and a line in `table`.
"""

from validation.devnode.lies.lie import Lie, Spoken, Told, tell
from validation.devnode.lies.stock import Stock, TrueStock
from validation.devnode.lies.table import LIES

__all__ = ["LIES", "Lie", "Spoken", "Stock", "Told", "TrueStock", "tell"]
