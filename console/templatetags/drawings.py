"""What pages draw on the server: state ribbons, meters with a limit tick, the hit-rate curve.

Widths and places are attributes of SVG, for the policy forbids inline styles. Each drawing says in
words what it shows; its figures stand beside it or in a table.
"""

from collections.abc import Sequence

from django import template
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from console.pages import figures
from console.pages.curve import Chart
from console.pages.examined import Bar
from console.pages.flag_split import Part
from console.pages.ribbon import Lane
from console.pages.states import State

register = template.Library()

# The state is told by height too, so that a ribbon reads in greyscale: from the top, how high.
_HEIGHTS = {"closed": (13, 4), "half": (7, 10), "open": (1, 16), "idle": (15, 2)}
_TICK = 0.9
# Cells of a fleet share this many pixels at most.
_SPREAD = 120


@register.simple_tag
def ribbon(lane: Lane) -> SafeString:
    """States over time: low is closed, half high is probing, full is open, a gap is no data."""
    return format_html(
        '<svg class="ribbon" viewBox="0 0 100 18" preserveAspectRatio="none" role="img"'
        ' aria-label="{}">{}</svg>',
        lane.said,
        format_html_join(
            "",
            '<rect class="fill-{}" x="{}" y="{}" width="{}" height="{}"><title>{}</title></rect>',
            (
                (
                    span.state.glyph,
                    f"{span.left:.3f}",
                    _HEIGHTS[span.state.glyph][0],
                    f"{min(span.width, 100 - span.left):.3f}",
                    _HEIGHTS[span.state.glyph][1],
                    f"{span.state.word} from {span.begins:%H:%M:%S} UTC",
                )
                for span in lane.spans
                if span.state
            ),
        ),
    )


@register.simple_tag
def spread(states: Sequence[tuple[State, int]], workers: int) -> SafeString:
    """One cell a worker, the worst first; those that do not have the breaker are left empty."""
    cells = [state.glyph for state, number in states for _ in range(number)]
    most = max(workers, len(cells), 1)
    step = min(10, _SPREAD / most)
    return format_html(
        '<svg class="spread" width="{}" height="18" aria-hidden="true">{}</svg>',
        f"{step * most:.0f}",
        format_html_join(
            "",
            '<rect class="fill-{}" x="{}" y="{}" width="{}" height="{}"/>',
            (
                (
                    glyph,
                    f"{step * at:.1f}",
                    _HEIGHTS[glyph][0],
                    f"{step * 0.75:.1f}",
                    _HEIGHTS[glyph][1],
                )
                for at, glyph in enumerate(cells)
            ),
        ),
    )


@register.simple_tag
def limit_meter(used: float, most: float, limit: float | None = None, what: str = "") -> SafeString:
    """How much of `most` is used; a tick stands at `limit` where it is less than `most`."""
    if most <= 0:
        return SafeString("")
    share = min(100 * used / most, 100)
    tick = ""
    said = f"{what} {share:.0f} percent".strip()
    if limit is not None and 0 < limit < most:
        at = 100 * limit / most
        said += f", limit at {at:.0f} percent"
        tick = format_html(
            '<rect class="tick" x="{}" y="-3" width="{}" height="16"/>',
            f"{max(at - _TICK / 2, 0):.2f}",
            _TICK,
        )
    return format_html(
        '<svg class="meter" viewBox="0 0 100 10" preserveAspectRatio="none" role="img"'
        ' aria-label="{}"><rect width="{}" height="10"/>{}</svg>',
        said,
        f"{share:.2f}",
        tick,
    )


@register.simple_tag
def stage_meter(stage: int, coming: int | None = None) -> SafeString:
    """How far a flag is; a tick stands at the stage that comes next."""
    tick, said = SafeString(""), f"Stage {stage} percent"
    if coming is not None:
        said += f", next {coming} percent"
        at = min(coming - _TICK / 2, 100 - _TICK)
        tick = format_html(
            '<rect class="tick" x="{}" y="-3" width="{}" height="16"/>', f"{at:.2f}", _TICK
        )
    return format_html(
        '<svg class="meter" viewBox="0 0 100 10" preserveAspectRatio="none" role="img"'
        ' aria-label="{}"><rect width="{}" height="10"/>{}</svg>',
        said,
        stage,
        tick,
    )


@register.simple_tag
def split_meter(parts: Sequence[Part], asked: int) -> SafeString:
    """Shares of variants side by side; a tick stands at the share that was asked for."""
    at, bars = 0.0, []
    for part in parts:
        bars.append((part.shade, f"{at:.2f}", f"{100 * part.share:.2f}"))
        at += 100 * part.share
    said = ", ".join(f"{part.variant} {100 * part.share:.1f} percent" for part in parts)
    return format_html(
        '<svg class="meter meter-tall" viewBox="0 0 100 10" preserveAspectRatio="none" role="img"'
        ' aria-label="{}, asked for {} percent">{}'
        '<rect class="tick" x="{}" y="-3" width="{}" height="16"/></svg>',
        said,
        asked,
        format_html_join("", '<rect class="{}" x="{}" width="{}" height="10"/>', bars),
        f"{min(max(asked - _TICK / 2, 0), 100 - _TICK):.2f}",
        _TICK,
    )


@register.simple_tag
def swatch(shade: str) -> SafeString:
    """The shade of a part, beside its name."""
    return format_html(
        '<svg class="swatch" viewBox="0 0 10 10" aria-hidden="true"><rect class="{}" width="10"'
        ' height="10"/></svg>',
        shade,
    )


@register.simple_tag
def hit_meter(parts: list[tuple[str, str, int]], total: int) -> SafeString:
    """Look-ups by who answered, [(shade, name, number)], side by side; the rest was a miss."""
    at, bars, said = 0.0, [], []
    for shade, name, number in parts:
        width = 100 * number / total if total else 0
        if number:
            said.append(f"{name} {width:.1f} percent")
            bars.append((shade, f"{at:.2f}", f"{width:.2f}"))
        at += width
    return format_html(
        '<svg class="meter meter-tall" viewBox="0 0 100 10" preserveAspectRatio="none" role="img"'
        ' aria-label="{}">{}</svg>',
        ", ".join(said) or "nothing was answered",
        format_html_join("", '<rect class="{}" x="{}" width="{}" height="10"/>', bars),
    )


@register.simple_tag
def curve_chart(chart: Chart) -> SafeString:
    """The line is stretched to the width there is, its words are not."""
    return format_html(
        '<svg class="chart" role="img" aria-label="{}">'
        '<g class="chart-grid">{}{}</g>'
        '<svg class="chart-plot" y="{}" width="100%" height="{}" viewBox="0 0 100 100"'
        ' preserveAspectRatio="none">'
        '<polyline points="{}" vector-effect="non-scaling-stroke"/></svg>{}</svg>',
        chart.said,
        _y_grid(chart),
        _x_grid(chart),
        _TOP,
        _HIGH,
        chart.line,
        _marks(chart),
    )


@register.simple_tag
def trend_line(points: Sequence[float | None]) -> SafeString:
    """One ink line from zero to the highest, broken where nothing was measured. Its figures stand
    beside it.
    """
    top = max((point for point in points if point is not None), default=0) or 1
    step = 160 / max(len(points) - 1, 1)
    path, before = [], False
    for n, point in enumerate(points):
        if point is not None:
            at = f"{n * step:.1f} {21 - 20 * point / top:.1f}"
            # A point alone is seen too, as a line of no length.
            path.append(f"L{at}" if before else f"M{at}h.1")
        before = point is not None
    return format_html(
        '<svg class="spark" viewBox="0 0 160 22" preserveAspectRatio="none" aria-hidden="true">'
        '<path d="{}" vector-effect="non-scaling-stroke"/></svg>',
        "".join(path),
    )


@register.simple_tag
def stretch(bar: Bar) -> SafeString:
    """One row of a waterfall: where in all of the time this was. Its figure stands beside it."""
    return format_html(
        '<svg class="stretch" viewBox="0 0 100 10" preserveAspectRatio="none" role="img"'
        ' aria-label="{}"><rect class="{}" x="{}" width="{}" height="10"/></svg>',
        bar.said,
        bar.shade,
        f"{bar.left:.2f}",
        f"{bar.width:.2f}",
    )


# The plot is 180 px high and begins 12 px from the top; words of the axis stand below it.
_TOP, _HIGH = 12, 180
_LOW = 85


def _y_grid(chart: Chart) -> SafeString:
    return format_html_join(
        "",
        '<line x1="0" x2="100%" y1="{0}" y2="{0}"/><text x="0" y="{1}">{2}</text>',
        ((f"{_y(y):.1f}", f"{_y(y) - 4:.1f}", text) for y, text in chart.y_ticks),
    )


def _x_grid(chart: Chart) -> SafeString:
    anchors = {0.0: "start", 100.0: "end"}
    return format_html_join(
        "",
        '<line x1="{0}%" x2="{0}%" y1="{1}" y2="{2}"/>'
        '<text x="{0}%" y="{3}" text-anchor="{4}">{5}</text>',
        (
            (f"{x:.2f}", _TOP, _TOP + _HIGH, _TOP + _HIGH + 18, anchors.get(x, "middle"), text)
            for x, text in chart.x_ticks
        ),
    )


def _marks(chart: Chart) -> SafeString:
    return format_html_join(
        "",
        '<g class="chart-mark"><line x1="{0}%" x2="{0}%" y1="{1}" y2="{2}"/>'
        '<circle cx="{0}%" cy="{3}" r="4"/>'
        '<text x="{0}%" dx="{4}" y="{5}" text-anchor="{6}">{7} · {8}</text></g>',
        (
            (
                f"{mark.x:.2f}",
                f"{_y(mark.y):.1f}",
                _TOP + _HIGH,
                f"{_y(mark.y):.1f}",
                -8 if mark.ends else 8,
                # Above the line where the words go to the left, for there the line is lower, and
                # where those of the axis stand below.
                f"{_y(mark.y) + (-10 if mark.ends or mark.y > _LOW else 18):.1f}",
                "end" if mark.ends else "start",
                mark.name,
                figures.percent(mark.share),
            )
            for mark in chart.marks
        ),
    )


def _y(percent: float) -> float:
    return _TOP + _HIGH * percent / 100
