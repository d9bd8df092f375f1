"""How numbers, spans of time and sizes are written: thin spaces, units, never a false precision."""

THIN = "\u202f"
_MINUTE, _HOUR, _DAY = 60, 3_600, 86_400
# From here on a decimal says nothing.
_PLAIN_RATE, _PLAIN = 100, 10
_THOUSAND = 1_000
_LEAST, _MOST = 0.1, 99.9
_PARTS = 1_000_000
_MINUS, _MANY_PERCENT = "\u2212", 100


def count(value: int) -> str:
    """`10 000`, with a narrow no-break space."""
    return f"{value:,}".replace(",", THIN)


def per_second(value: float) -> str:
    """Items a second: `3 120/s`, `41.5/s`, `0.04/s`."""
    if value >= _PLAIN_RATE:
        return f"{count(round(value))}/s"
    return f"{value:.1f}/s" if value >= 1 or value == 0 else f"{value:.2g}/s"


def duration(seconds: float) -> str:
    """The two largest units: `0.4 s`, `42 s`, `3 min 20 s`, `2 h 5 min`, `3 d 4 h`."""
    if seconds < _PLAIN:
        return f"{max(seconds, 0):.1f}{THIN}s"
    whole = round(seconds)
    if whole < _MINUTE:
        return f"{whole}{THIN}s"
    if whole < _HOUR:
        return _two(whole, _MINUTE, "min", 1, "s")
    if whole < _DAY:
        return _two(whole, _HOUR, "h", _MINUTE, "min")
    return _two(whole, _DAY, "d", _HOUR, "h")


def ago(seconds: float) -> str:
    """`now`, `12 s ago`, `3 min ago`, `2 h ago`, `5 d ago`."""
    if seconds < 1:
        return "now"
    for size, unit in ((_DAY, "d"), (_HOUR, "h"), (_MINUTE, "min")):
        if seconds >= size:
            return f"{int(seconds // size)}{THIN}{unit} ago"
    return f"{int(seconds)}{THIN}s ago"


def milliseconds(value: float) -> str:
    return f"{value:.1f}{THIN}ms" if value < _PLAIN else f"{count(round(value))}{THIN}ms"


def latency(value: float) -> str:
    """`4.2 ms`, `340 ms`, `1.24 s`."""
    return f"{value / _THOUSAND:.2f}{THIN}s" if value >= _THOUSAND else milliseconds(value)


def size(octets: int) -> str:
    """`84 MB`, in powers of ten as the units say."""
    value, units = float(octets), ["GB", "MB", "kB", "B"]
    while value >= _THOUSAND and len(units) > 1:
        value /= _THOUSAND
        units.pop()
    digits = 1 if value < _PLAIN and units[-1] != "B" else 0
    return f"{value:.{digits}f}{THIN}{units[-1]}"


def share(part: int, whole: int) -> str:
    """`12.4 %`; less than a tenth of a percent is never rounded to none, nor almost all to all."""
    percent = 100 * part / whole
    if 0 < percent < _LEAST:
        return f"<{THIN}0.1{THIN}%"
    if percent > _MOST and part < whole:
        return f">{THIN}99.9{THIN}%"
    digits = 1 if 0 < part < whole else 0
    return f"{percent:.{digits}f}{THIN}%"


def percent(value: float) -> str:
    """A share of 1 as `61.0 %`; as above, almost none is not none and almost all is not all."""
    return share(round(value * _PARTS), _PARTS)


def signed(value: float, scale: str = "ratio") -> str:
    """A change: `−63.1 %`, `+412 %`, `0 %` of a ratio of change; `−0.012` of a difference."""
    if scale != "ratio":
        return f"{value:+.3g}".replace("-", _MINUS) if value else "0"
    percent = 100 * value
    digits = 0 if abs(percent) >= _MANY_PERCENT else 1
    text = f"{percent:+.{digits}f}"
    if not float(text):
        return f"0{THIN}%"
    return f"{text.removesuffix('.0')}{THIN}%".replace("-", _MINUS)


def _two(seconds: int, big: int, big_unit: str, small: int, small_unit: str) -> str:
    whole, rest = divmod(seconds, big)
    text = f"{whole}{THIN}{big_unit}"
    return f"{text} {rest // small}{THIN}{small_unit}" if rest // small else text
