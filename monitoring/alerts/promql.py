"""Figures of rules in PromQL, where they take more than a line."""


def least_share(part: str, whole: str, *windows: str) -> str:
    """What part of `whole` it was, where that was least: all windows must pass a threshold."""
    shares = (
        f"label_replace(sum(rate({part}[{window}])) / sum(rate({whole}[{window}])),"
        f' "window", "{window}", "", "")'
        for window in windows
    )
    return f"min({' or '.join(shares)})"
