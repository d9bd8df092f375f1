"""What the roadmap draws: how far many optimisations are, and claimed against measured.

Widths and places are attributes of SVG, for the policy forbids inline styles. Each drawing says in
words what it shows.
"""

from collections.abc import Sequence

from django import template
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from console.pages import roadmap_rows, roadmap_targets
from console.pages.figures import THIN
from console.pages.interval import NOTHING, Interval
from console.pages.roadmap_phases import Part, gate_state
from console.pages.states import State
from console.roadmap.gates.standing import Judged
from console.roadmap.rows import Effect, Span

register = template.Library()

_GLYPHS = {"proved": "closed", "refuted": "open", "inconclusive": "half"}
_MIDDLE = 10
MINUS = "\N{MINUS SIGN}"


@register.simple_tag
def status_bar(parts: Sequence[Part]) -> SafeString:
    """Parts side by side, as wide as they are many; their numbers stand beside it."""
    total = sum(part.number for part in parts) or 1
    at, bars = 0.0, []
    for part in parts:
        width = 100 * part.number / total
        if part.number:
            bars.append((part.shade, f"{at:.2f}", f"{width:.2f}"))
        at += width
    said = ", ".join(f"{part.number} {part.words}" for part in parts if part.number) or "none"
    return format_html(
        '<svg class="meter status-bar" viewBox="0 0 100 10" preserveAspectRatio="none" role="img"'
        ' aria-label="{}">{}</svg>',
        said,
        format_html_join("", '<rect class="{}" x="{}" width="{}" height="10"/>', bars),
    )


@register.simple_tag
def part_swatch(shade: str) -> SafeString:
    return format_html(
        '<svg class="swatch" viewBox="0 0 10 10" aria-hidden="true"><rect class="{}" width="10"'
        ' height="10"/></svg>',
        shade,
    )


@register.simple_tag
def interval_plot(plot: Interval) -> SafeString:
    """Nothing is the line on the left, what is claimed the diamond; measured is the bar with its
    dot. An end that goes on outside has no stop.
    """
    return format_html(
        '<svg class="interval" role="img" aria-label="{}">'
        '<line class="interval-zero" x1="{}%" x2="{}%" y1="1" y2="19"/>'
        '<line class="interval-least" x1="{}%" x2="{}%" y1="4" y2="16"/>{}{}</svg>',
        plot.said,
        NOTHING,
        NOTHING,
        f"{plot.least:.2f}",
        f"{plot.least:.2f}",
        _measured(plot),
        _claimed(plot),
    )


@register.filter
def effect_words(effect: Effect) -> str:
    return roadmap_rows.effect_words(effect)


@register.filter
def gate_glyph(gate: Judged) -> State:
    return gate_state(gate)


@register.filter
def figure(value: float | None) -> str:
    return "no data" if value is None else roadmap_targets.number(value)


@register.filter
def exact(percent: float) -> str:
    """With what it has after its point, which rounding may not take."""
    return f"{percent:.4g}"


@register.filter
def left_over(percent: float) -> str:
    """What a gain of so many percent leaves: `0.6` of 40."""
    return f"{1 - percent / 100:g}"


@register.filter
def money(amount: float) -> str:
    return f"{amount:,.2f} $".replace(",", THIN)


@register.filter
def dollars(span: Span) -> str:
    """`7 800 $`, `1 500 to 2 000 $`."""
    return f"{_span([f'{value:,.0f}'.replace(',', THIN) for value in span])} $"


@register.filter
def times(span: Span) -> str:
    """In times what was spent: `2.9 ×`, `−0.8 to −0.3 ×`."""
    return f"{_span([f'{value:.1f}'.replace('-', MINUS) for value in span])} ×"


@register.simple_tag
def legend_mark(name: str) -> SafeString:
    """One of a plot's marks, for its legend."""
    marks = {
        "zero": '<line class="interval-zero" x1="50%" x2="50%" y1="1" y2="19"/>',
        "least": '<line class="interval-least" x1="50%" x2="50%" y1="4" y2="16"/>',
        "claimed": '<svg class="interval-claimed" x="50%" overflow="visible"><path d="M0 5 5 10 0 '
        '15-5 10z"/></svg>',
        "measured": '<g class="interval-measured stroke-idle"><line x1="10%" x2="90%" y1="10" '
        'y2="10"/><circle class="fill-idle" cx="50%" cy="10" r="3.5"/></g>',
    }
    return format_html(
        '<svg class="interval interval-legend" aria-hidden="true">{}</svg>', SafeString(marks[name])
    )


def _span(texts: Sequence[str]) -> str:
    return " to ".join(dict.fromkeys(texts))


def _claimed(plot: Interval) -> SafeString:
    """A diamond, upright whatever the width."""
    if plot.claimed is None:
        return SafeString("")
    return format_html(
        '<svg class="interval-claimed" x="{}%" overflow="visible"><path d="M0 5 5 10 0 15-5 10z"/>'
        "</svg>",
        plot.claimed,
    )


def _measured(plot: Interval) -> SafeString:
    if plot.at is None:
        return SafeString("")
    stops = [
        place for place, goes_on in zip((plot.low, plot.high), plot.beyond, strict=True)
        if not goes_on
    ]  # fmt: skip
    return format_html(
        '<g class="interval-measured stroke-{0}"><line x1="{1}%" x2="{2}%" y1="{3}" y2="{3}"/>{4}'
        '<circle class="fill-{0}" cx="{5}%" cy="{3}" r="3.5"/></g>',
        _GLYPHS.get(plot.verdict, "idle"),
        f"{plot.low:.2f}",
        f"{plot.high:.2f}",
        _MIDDLE,
        format_html_join(
            "",
            '<line x1="{0}%" x2="{0}%" y1="6" y2="14"/>',
            ((f"{place:.2f}",) for place in stops),
        ),
        f"{plot.at:.2f}",
    )
