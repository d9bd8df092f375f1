"""What evidence is drawn with: an interval on the axis of its claim, a rollout's stages."""

from django import template
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from console.pages import figures
from console.pages.forest import Axis, Lane

register = template.Library()


@register.simple_tag
def forest_lane(lane: Lane) -> SafeString:
    """An interval with its estimate; lines stand at nothing and at the least worth having."""
    return format_html(
        '<svg class="forest" role="img" aria-label="{}">'
        '<line class="forest-zero" x1="{zero}%" x2="{zero}%" y1="0" y2="100%"/>'
        '<line class="forest-least" x1="{least}%" x2="{least}%" y1="0" y2="100%"/>'
        '<g class="forest-{shade}">{}{}</g></svg>',
        lane.said,
        _bar(lane),
        _point(lane),
        zero=f"{lane.zero:.2f}",
        least=f"{lane.least:.2f}",
        shade=lane.shade,
    )


@register.simple_tag
def forest_axis(axis: Axis) -> SafeString:
    return format_html(
        '<svg class="forest forest-axis" aria-hidden="true">{}</svg>',
        format_html_join(
            "",
            '<line x1="{0}%" x2="{0}%" y1="0" y2="4"/><text x="{0}%" y="17">{1}</text>',
            ((f"{at:.2f}", text) for at, text in axis.ticks),
        ),
    )


@register.filter
def signed(value: float | None, scale: str = "ratio") -> str:
    return "–" if value is None else figures.signed(value, scale)


def _bar(lane: Lane) -> SafeString:
    if lane.low is None or lane.high is None:
        return SafeString("")
    return format_html(
        '<line x1="{}%" x2="{}%" y1="50%" y2="50%"/>', f"{lane.low:.2f}", f"{lane.high:.2f}"
    )


def _point(lane: Lane) -> SafeString:
    if lane.shade == "claimed":
        # A svg of its own, so that its corners are pixels while its place is a share of the width.
        return format_html(
            '<svg x="{}%" y="50%" overflow="visible"><path d="M-5 0 0-5 5 0 0 5Z"/></svg>',
            f"{lane.at:.2f}",
        )
    return format_html('<circle cx="{}%" cy="50%" r="4"/>', f"{lane.at:.2f}")
