"""What the node can say instead of the truth: one function a lie, all of them in one table.

In: the true reply and the calls it answers. Out: the reply that is sent. `LIES` is what
`devnode --list-lies` prints and what a drill walks through; adding a lie is a function in `results`
or `replies` and a line in `table`.
"""

from validation.devnode.lies.lie import Lie, Spoken, tell
from validation.devnode.lies.table import LIES

__all__ = ["LIES", "Lie", "Spoken", "tell"]
