"""The atoms of every page: icons, states, times, meters and the way numbers are written."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import cache

from django import template
from django.templatetags.static import static
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from console.pages import figures
from console.pages.states import CHECKS, TOKENS, VERDICTS, State

register = template.Library()

LEVELS = ("answered", "well-formed", "self-consistent", "in its block", "anchored", "final")
_LEAST_PART = 0.8
# Subjects up to here fit everywhere; of longer ones this much of the end always shows.
_UNCUT, _TAIL = 24, 8
_NONE = "–"
_MANY = 10_000


@register.filter
def count(value: int | None) -> str:
    return _NONE if value is None else figures.count(value)


@register.filter
def per_second(value: float | None) -> str:
    return "no data" if value is None else figures.per_second(value)


@register.filter
def duration(seconds: float | None) -> str:
    return _NONE if seconds is None else figures.duration(seconds)


@register.filter
def milliseconds(value: float) -> str:
    return figures.milliseconds(value)


@register.filter
def latency(value: float | None) -> str:
    return _NONE if value is None else figures.latency(value)


@register.filter
def percent(value: float | None) -> str:
    """A share of 1."""
    return _NONE if value is None else figures.percent(value)


@register.filter
def size(octets: int) -> str:
    return figures.size(octets)


@register.filter
def share(part: int, whole: int) -> str:
    return figures.share(part, whole) if whole else "no data"


@register.filter
def code(text: str) -> SafeString:
    """What stands between backticks is set as code."""
    parts = text.split("`")
    if len(parts) % 2 == 0:  # one that nothing closes is a backtick
        return format_html("{}", text)
    return format_html_join(
        "",
        "{}",
        ((format_html("<code>{}</code>", p) if n % 2 else p,) for n, p in enumerate(parts)),
    )


@register.filter
def whole(value: float) -> int:
    return round(value)


@register.filter
def plain(value: float) -> str:
    """A setting: as few digits as it has."""
    return f"{value:g}" if abs(value) < _MANY else figures.count(round(value))


@register.filter
def of(counts: Mapping[str, int], name: str) -> int:
    """How many of `name` there are."""
    return counts.get(name, 0)


@register.filter
def plus(value: int, other: int) -> int:
    return value + other


@register.simple_tag
@cache  # of few values, drawn hundreds of times a page
def icon(name: str) -> SafeString:
    """A Lucide icon. Decoration: the words beside it carry the meaning."""
    sprite = static("vendor/lucide-1.62.0/icons.svg")
    return format_html(
        '<svg class="icon" aria-hidden="true"><use href="{}#{}"/></svg>', sprite, name
    )


@register.simple_tag
@cache
def glyph(name: str) -> SafeString:
    return format_html('<svg aria-hidden="true"><use href="{}#{}"/></svg>', _glyphs(), name)


@register.simple_tag
@cache
def state(value: State) -> SafeString:
    """Glyph, word, effect and colour of one state."""
    words = f"{value.word} · {value.effect}" if value.effect else value.word
    return format_html(
        '<span class="state state-{}">{}{}</span>', value.glyph, glyph(value.glyph), words
    )


@register.simple_tag
@cache
def verdict(code: str) -> SafeString:
    return state(VERDICTS[code])


@register.simple_tag
def cut(subject: str) -> SafeString | str:
    """A long subject in two parts: where there is no room, the end of the first gives way."""
    if len(subject) <= _UNCUT:
        return subject
    return format_html("<span>{}</span><span>{}</span>", subject[:-_TAIL], subject[-_TAIL:])


@register.simple_tag
def cut_name(name: str) -> SafeString | str:
    """As `cut`, of a name of parts: its last part always shows."""
    head, colon, tail = name.rpartition(":")
    return format_html("<span>{}</span><span>:{}</span>", head, tail) if colon else name


@register.simple_tag
def verdict_of(code: str, number: int) -> SafeString:
    """A verdict in a table of counts: one that nothing has is without colour."""
    known = VERDICTS[code]
    return state(known if number else replace(known, glyph="idle"))


@register.simple_tag
@cache
def check_status(code: str) -> SafeString:
    return state(CHECKS[code])


@register.simple_tag
@cache
def token_state(code: str) -> SafeString:
    return state(TOKENS[code])


@register.simple_tag
def when(moment: datetime | None) -> SafeString | str:
    """How long ago, with the exact moment on hover and for scripts that keep it counting."""
    if moment is None:
        return _NONE
    age = (timezone.now() - moment).total_seconds()
    return _time(moment, figures.ago(age), relative=True)


@register.simple_tag
def clock(moment: datetime) -> SafeString:
    """The time of day, to the second: when a figure was read."""
    return _time(moment, f"{moment:%H:%M:%S}", relative=False)


@register.simple_tag
def seconds_ago(age_s: float) -> SafeString | str:
    return figures.ago(age_s)


@register.simple_tag
@cache
def ladder(level: int) -> SafeString:
    """The trust ladder as six rungs, those up to `level` filled, and in words."""
    rungs = format_html_join(
        "",
        '<rect x="{}" y="{}" width="4" height="{}"{}/>',
        (
            (6 * n + 0.5, 10.5 - 2 * n, 1 + 2 * n, _REACHED if n <= level else "")
            for n in range(len(LEVELS))
        ),
    )
    return format_html(
        '<svg class="ladder" viewBox="0 0 36 12" aria-hidden="true">{}</svg>'
        ' <span title="Level {} of 5: {}">{}</span>',
        rungs,
        level,
        LEVELS[level],
        level,
    )


_REACHED = SafeString(' class="reached"')


@register.simple_tag
def progress_meter(done: int, total: int) -> SafeString:
    """How much of `total` is done, without a word about how it went."""
    percent = 100 * done / total if total else 0
    return format_html(
        '<svg class="meter" viewBox="0 0 100 10" preserveAspectRatio="none" role="img"'
        ' aria-label="{} percent done"><rect width="{}" height="10"/></svg>',
        int(percent),
        f"{percent:.2f}",
    )


@register.simple_tag
def verdict_meter(counts: Sequence[tuple[str, int]], total: int) -> SafeString:
    """Verdicts side by side on a bar as long as `total`; what is missing waits.

    Two invalid of a million are seen too: a part is never thinner than `_LEAST_PART`.
    """
    shares = [(code, 100 * n / total if total else 0) for code, n in counts]
    widths = [(code, max(share, _LEAST_PART) if share else 0) for code, share in shares]
    fit = min(1, 100 / (sum(width for _, width in widths) or 1))
    at, bars = 0.0, []
    for code, width in widths:
        bars.append((f"{at:.3f}", f"{width * fit:.3f}", VERDICTS[code].glyph))
        at += width * fit
    said = ", ".join(f"{n} {VERDICTS[code].word.lower()}" for code, n in counts if n) or "none yet"
    return format_html(
        '<svg class="meter meter-tall" viewBox="0 0 100 10" preserveAspectRatio="none" role="img"'
        ' aria-label="Of {}: {}">{}</svg>',
        total,
        said,
        format_html_join("", '<rect x="{}" width="{}" height="10" class="fill-{}"/>', bars),
    )


@register.simple_tag
def sparkline(values: Sequence[float]) -> SafeString:
    """One ink line, drawn from zero to the highest value. Its figures stand beside it."""
    top = max(values, default=0) or 1
    step = 160 / max(len(values) - 1, 1)
    points = " ".join(f"{n * step:.1f},{21 - 20 * v / top:.1f}" for n, v in enumerate(values))
    return format_html(
        '<svg class="spark" viewBox="0 0 160 22" preserveAspectRatio="none" aria-hidden="true">'
        '<polyline points="{}" vector-effect="non-scaling-stroke"/></svg>',
        points,
    )


@register.simple_tag(takes_context=True)
def theme(context: template.Context) -> str:
    """`light`, `dark` or `auto`, as the cookie says; anything else is auto."""
    request = context.get("request")
    chosen = request.COOKIES.get("theme", "") if request else ""
    return chosen if chosen in {"light", "dark"} else "auto"


def _glyphs() -> str:
    return static("glyphs.svg")


def _time(moment: datetime, text: str, *, relative: bool) -> SafeString:
    return format_html(
        '<time datetime="{}" title="{}"{}>{}</time>',
        moment.isoformat(timespec="milliseconds"),
        f"{moment:%Y-%m-%d %H:%M:%S} UTC",
        _RELATIVE if relative else "",
        text,
    )


_RELATIVE = SafeString(" data-relative")
