"""Text that strangers wrote, such as a node or the author of a file, as a terminal may show it."""


def printable(text: str) -> str:
    """The same line with every character that is none to look at written as its code: an escape
    sequence could clear the screen and say something else, a line break could forge a line.
    """
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in text
    )
