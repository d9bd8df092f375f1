"""The predicted hit rate of L1 by its size: where the fleet's curve goes on a chart."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor, log10

from console.pages.figures import count, percent

# Ten times the size is the question that the curve is to answer.
AHEAD = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A size on the curve, in percent of the chart's width and height from the top left."""

    entries: int
    share: float
    x: float
    y: float
    # Near the right edge the words stand to the left of it.
    ends: bool
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """A line over a logarithmic axis of entries; everything in percent of width and height."""

    line: str
    marks: tuple[Mark, ...]
    x_ticks: tuple[tuple[float, str], ...]
    y_ticks: tuple[tuple[float, str], ...]
    # (entries, share) by which a table says the same.
    rows: tuple[tuple[int, float], ...]
    said: str


def share_at(points: Sequence[tuple[int, float]], entries: float) -> float:
    """Along the line as it is drawn, over the logarithm; beyond either end that end's share."""
    before_size, before_share = points[0]
    for size, share in points:
        if entries <= size:
            span = log10(size / before_size) if size > before_size else 1.0
            part = max(log10(entries / before_size), 0.0) / span
            return before_share + (share - before_share) * part
        before_size, before_share = size, share
    return before_share


def chart(curve: Sequence[tuple[int, float]], sizes: tuple[int, int] | None) -> Chart | None:
    """`sizes`: the least and the most that processes have now. None where there is nothing to draw:
    fewer than two points, or no size.
    """
    points = [(entries, share) for entries, share in curve if entries > 0]
    if len(points) < 2 or sizes is None or sizes[0] <= 0:  # noqa: PLR2004 - a line has two ends
        return None
    least, most = sizes
    ahead = most * AHEAD
    low = floor(log10(max(min(points[0][0], least), 1)))
    high = max(ceil(log10(max(points[-1][0], ahead))), low + 1)
    top = _top(max(share for _, share in points))

    def x(entries: float) -> float:
        return 100 * (log10(max(entries, 1)) - low) / (high - low)

    def y(share: float) -> float:
        return 100 * (1 - share / top)

    # Beyond the largest size that was sampled it is at least as much.
    drawn = [*points, (max(ahead, points[-1][0]), points[-1][1])]
    marks = tuple(
        Mark(
            entries=size,
            share=share_at(points, size),
            x=x(size),
            y=y(share_at(points, size)),
            ends=x(size) > 70,  # noqa: PLR2004 - percent, by eye
            name=name,
        )
        for size, name in _named(least, most)
    )
    steps = range(5)
    return Chart(
        line=" ".join(f"{x(size):.2f},{y(share):.2f}" for size, share in drawn),
        marks=marks,
        x_ticks=tuple((x(10**power), _short(10**power)) for power in range(low, high + 1)),
        y_ticks=tuple(
            (100 * (1 - step / 4), f"{100 * top * step / 4:.3g} %") for step in steps if step
        ),
        rows=tuple(points),
        said=_said(marks),
    )


def _named(least: int, most: int) -> tuple[tuple[int, str], ...]:
    if least == most:
        return (most, "now"), (most * AHEAD, f"×{AHEAD}")
    return (least, "least now"), (most, "most now"), (most * AHEAD, f"most ×{AHEAD}")


def _said(marks: tuple[Mark, ...]) -> str:
    *_, now, ahead = marks
    if len(marks) > 2:  # noqa: PLR2004 - now and ahead
        least = marks[0]
        return (
            f"The sizes of the processes differ. With {count(least.entries)} entries, the least "
            f"that one has now, L1 would answer {percent(least.share)} of look-ups, with "
            f"{count(now.entries)}, the most, {percent(now.share)}, and with "
            f"{count(ahead.entries)} {percent(ahead.share)}."
        )
    return (
        f"With {count(now.entries)} entries in each process L1 would answer {percent(now.share)} "
        f"of look-ups, with {count(ahead.entries)} {percent(ahead.share)}."
    )


def _top(share: float) -> float:
    """The least of 10, 20, 40, 60, 80 and 100 % that holds the curve."""
    return next((top for top in (0.1, 0.2, 0.4, 0.6, 0.8) if share <= top), 1.0)


def _short(entries: int) -> str:
    for size, unit in ((10**9, "G"), (10**6, "M"), (10**3, "k")):
        if entries >= size:
            return f"{entries // size}{unit}"
    return str(entries)
