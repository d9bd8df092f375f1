"""Identical calls in flight are asked once: who carries which call, waiting or with a node."""

from collections.abc import Sequence

from validation.rpc.groups import Group, Waiter


class Sharing:
    """A fetch joins a group that carries all of its calls, never two groups: its values must come
    from one batch of one node. Calls that only overlap are merged where they meet in a batch.
    """

    __slots__ = ("_carriers",)

    def __init__(self) -> None:
        self._carriers: dict[bytes, Group] = {}

    def __len__(self) -> int:
        return len(self._carriers)

    def join(self, waiter: Waiter, fragments: Sequence[bytes]) -> bool:
        """True where the fetch now waits with another's group."""
        group = self._carriers.get(fragments[0])
        # A group that its last waiter left is on its way out, its request perhaps cancelled.
        return group is not None and bool(group.waiters) and group.join(waiter, fragments)

    def add(self, group: Group) -> None:
        carriers = self._carriers
        for fragment in group.fragments:
            other = carriers.get(fragment)
            if other is None or not other.waiters:
                carriers[fragment] = group

    def remove(self, group: Group) -> None:
        carriers = self._carriers
        for fragment in group.fragments:
            if carriers.get(fragment) is group:
                del carriers[fragment]
