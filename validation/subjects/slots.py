"""The storage slots that may stand after an address: `0x1,0x2`, at most four."""

import re

MAX_SLOTS = 4

_SLOT = re.compile("0x[0-9a-f]{1,64}", re.ASCII).fullmatch


class SlotError(ValueError):
    """Says which slot is none, or that there are too many."""


def read_slots(text: str) -> tuple[str, ...]:
    """Each slot as 0x and 64 lower-case hex digits, from a quantity or all 32 bytes."""
    written = [slot.strip().lower() for slot in text.split(",")]
    if written == [""]:
        raise SlotError("no storage slot follows the slash; write address:0x…/0x0, or no slash")
    if len(written) > MAX_SLOTS:
        raise SlotError(f"{len(written)} storage slots; at most {MAX_SLOTS} go with one address")
    for slot in written:
        if not _SLOT(slot):
            raise SlotError(f"storage slot {slot!r} is not 0x and 1 to 64 hex digits")
    slots = tuple(f"0x{slot[2:]:0>64}" for slot in written)
    for slot in slots:
        if slots.count(slot) > 1:
            raise SlotError(f"storage slot {slot} is named twice")
    return slots
