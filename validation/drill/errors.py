"""Why a drill came to nothing."""


class DrillError(Exception):
    """The node gave nothing to drill with; the message is for the person who asked."""
