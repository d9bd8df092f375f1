"""Rows that tests write by hand where the fleet would have written them."""

from typing import Any

from validation.models import CheckProfile


def check_fields(checks: list[dict[str, str]]) -> dict[str, Any]:
    """The fields of a Result that say `checks`."""
    text = " ".join(f"{check['name']}:{check['status']}" for check in checks)
    details = {str(n): _told(check) for n, check in enumerate(checks) if any(_parts(check))}
    return {
        "profile": CheckProfile.objects.get_or_create(text=text)[0],
        "details": details or None,
    }


def _told(check: dict[str, str]) -> str | list[str]:
    parts = _parts(check)
    return parts if any(parts[1:]) else parts[0]


def _parts(check: dict[str, str]) -> list[str]:
    return [check.get(name, "") for name in ("detail", "computed", "claimed")]
