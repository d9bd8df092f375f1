"""Rows that tests write by hand where the fleet would have written them."""

from typing import Any

from validation.models import CheckProfile


def check_fields(checks: list[dict[str, str]]) -> dict[str, Any]:
    """The fields of a Result that say `checks`."""
    text = " ".join(f"{check['name']}:{check['status']}" for check in checks)
    details = {str(n): check["detail"] for n, check in enumerate(checks) if check["detail"]}
    return {
        "profile": CheckProfile.objects.get_or_create(text=text)[0],
        "details": details or None,
    }
