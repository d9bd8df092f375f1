"""The three layers of what is wanted of one target, each with an end of its own or none."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Self

from validation.models import Control


@dataclass(frozen=True, slots=True, kw_only=True)
class Layers:
    """What is wanted of one target: what is forced over what is tuned over what lasts."""

    mode: str = ""
    expires_at: datetime | None = None
    settings: Mapping[str, float] = field(default_factory=dict)
    tuned_until: datetime | None = None
    lasting: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def of(cls, row: Control, now: datetime) -> Self:
        """Without what has ended."""
        forced = row.expires_at is not None and row.expires_at > now
        tuned = row.tuned_until is not None and row.tuned_until > now
        return cls(
            mode=row.mode if forced else "",
            expires_at=row.expires_at if forced else None,
            settings=row.settings if tuned else {},
            tuned_until=row.tuned_until if tuned else None,
            lasting=row.lasting,
        )

    def tuned(self, settings: Mapping[str, float], until: datetime | None) -> Self:
        return replace(self, settings=settings, tuned_until=until if settings else None)

    @classmethod
    def from_json(cls, told: Mapping[str, Any], now: datetime) -> Self:
        """As an audit entry tells them, without what has ended since."""
        ends = {
            name: datetime.fromisoformat(told[name]) if told.get(name) else None
            for name in ("expires_at", "tuned_until")
        }
        return cls.of(
            Control(
                mode=told.get("mode", ""),
                settings=told.get("settings", {}),
                lasting=told.get("lasting", {}),
                **ends,
            ),
            now,
        )

    def as_json(self) -> dict[str, Any]:
        return {
            "mode": self.mode,
            "expires_at": self.expires_at and self.expires_at.isoformat(),
            "settings": dict(self.settings),
            "tuned_until": self.tuned_until and self.tuned_until.isoformat(),
            "lasting": dict(self.lasting),
        }
