"""Identical calls in flight are asked once: who carries which call, waiting or with a node."""

from collections.abc import Sequence

from validation.rpc.groups import Group, Waiter


class Sharing:
    """A fetch joins a group that carries all of its calls, never two groups: its values must come
    from one batch of one node. Calls that only overlap are merged where they meet in a batch.
    """

    __slots__ = ("_carriers", "_parted_at", "is_on")

    def __init__(self, *, is_on: bool = True) -> None:
        self.is_on = is_on
        """Any thread may set it."""
        self._carriers: dict[bytes, Group] = {}
        self._parted_at = float("-inf")

    def __len__(self) -> int:
        return len(self._carriers)

    def part(self, now: float) -> None:
        """Whatever is with a node by now, by the loop's clock, is joined by nobody any more."""
        self._parted_at = now

    def join(self, waiter: Waiter, fragments: Sequence[bytes], *, fresh: bool) -> bool:
        """True where the fetch now waits with another's group; a `fresh` one only with what has
        not yet been sent.
        """
        group = self._carriers.get(fragments[0]) if self.is_on else None
        return group is not None and self._is_open(group, fresh) and group.join(waiter, fragments)

    def add(self, group: Group, *, fresh: bool) -> None:
        carriers = self._carriers
        if not group.shares:
            return
        for fragment in group.fragments:
            other = carriers.get(fragment)
            if other is None or not self._is_open(other, fresh):
                carriers[fragment] = group

    def remove(self, group: Group) -> None:
        carriers = self._carriers
        for fragment in group.fragments:
            if carriers.get(fragment) is group:
                del carriers[fragment]

    def _is_open(self, group: Group, fresh: bool) -> bool:
        """A group that its last waiter left is on its way out, its request perhaps cancelled."""
        if not group.waiters:
            return False
        return group.batch is None or (not fresh and group.sent_at > self._parted_at)
