"""Refuses a stage that nobody knows the way back from, or that a drill showed to have none."""

from collections.abc import Iterator, Mapping, Sequence

from console.flags.catalogue import BY_KEY
from console.flags.errors import OneWay, Unrehearsed
from console.flags.models import Flag
from console.flags.standing import ALL, Standing
from console.rehearsals import possible, standing
from console.rehearsals.standing import Rehearsed


def refuse_one_way(flag: Flag, old: Standing, new: Standing) -> None:
    """Where more units would get a variant whose newest drill on this code failed. The baseline,
    and what was never rehearsed, are free. Raises OneWay.
    """
    for variant, _ in _brought(flag, old, new):
        drill = standing.of(flag.key, variant)
        if drill is not None and drill.is_one_way:
            raise OneWay(
                f"{flag.key} at {variant} could not be taken back: drill {drill.id} of "
                f"{drill.ended_at:%Y-%m-%d %H:%M} UTC failed on this code. {drill.why} Mend that, "
                f"then rehearse it anew (manage.py rehearse {flag.key} --target {variant}); "
                "lowering a stage and rolling back are free."
            )


def refuse_unrehearsed(flag: Flag, old: Standing, new: Standing) -> None:
    """Raises Unrehearsed for the first of `lack_drills`."""
    variant, *_ = (*lack_drills(flag, old, new), "")
    if not variant:
        return
    cannot = possible.why_not(flag.key)
    drill = standing.waiting(flag.key, variant)
    way = (
        f"{drill} of it is on its way: try again once that has ended."
        if drill
        else f"Rehearse it first: manage.py rehearse {flag.key} --target {variant}, some seconds."
    )
    raise Unrehearsed(
        f"No unit has {flag.key} at {variant} yet, and no drill of this code and of the last "
        f"{standing.GOOD_FOR.days} days says that it can be taken back "
        f"({standing.words_of(flag.key, variant)}). {cannot or way}",
        "" if cannot else variant,
    )


def lack_drills(flag: Flag, old: Standing, new: Standing) -> tuple[str, ...]:
    """The variants that no unit has now, that some would get, and that no drill on this code came
    back from of late. One whose drill failed is `refuse_one_way`'s. Flags that operators brought
    are free: no part of this release reads them.
    """
    if not flag.builtin:
        return ()
    given = [variant for variant, before in _brought(flag, old, new) if not before]
    return tuple(variant for variant in given if _lacks(standing.of(flag.key, variant)))


def told_of(lacking: Sequence[str]) -> dict[str, str]:
    """For the trail, where somebody goes without."""
    return {"unrehearsed": ", ".join(lacking)} if lacking else {}


def _lacks(drill: Rehearsed | None) -> bool:
    return drill is None or not (drill.is_fresh or drill.is_one_way)


def _brought(flag: Flag, old: Standing, new: Standing) -> Iterator[tuple[str, int]]:
    """What more units would get, and how many percent have it; nothing of what only lowers."""
    if old.enabled and new.enabled and not new.raises(old, flag.baseline):
        return
    before = _shares(flag, old)
    for variant, percent in _shares(flag, new).items():
        if variant != flag.baseline and percent > before.get(variant, 0):
            yield variant, before.get(variant, 0)


def _shares(flag: Flag, one: Standing) -> Mapping[str, int]:
    """Percent by variant. Where it is off each asks its own default, which is what ships."""
    if one.enabled:
        return {variant: one.share(variant) for variant in (one.target, one.rest)}
    definition = BY_KEY.get(flag.key)
    return {definition.ships: ALL} if definition else {}
