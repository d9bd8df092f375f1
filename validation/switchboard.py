"""The toggles of one process: applies what was decided where it differs, and tells what holds."""

from collections.abc import Callable, Mapping

import structlog

from validation.deciding import Decision, Decisions
from validation.engine import Engine
from validation.flags import OF_ITEMS
from validation.toggles import TOGGLES, Parts, Toggle

log = structlog.get_logger(__name__)


class Switchboard:
    """On the loop's thread, except for what says otherwise."""

    def __init__(self, parts: Callable[[], Parts], toggles: Mapping[str, Toggle] = TOGGLES) -> None:
        self._parts = parts
        self._toggles = toggles
        # By key: the value that was applied last.
        self._applied: dict[str, str | int] = {}
        self.decisions = Decisions()
        self.refused: Mapping[str, str] = {}

    def has_news(self, decisions: Decisions) -> bool:
        """Whether `apply` would change anything, or try again. Any thread."""
        return bool(self.refused) or any(
            self._differs(decision) for decision in decisions.of.values()
        )

    def apply(self, decisions: Decisions) -> None:
        """One flag that cannot be applied keeps nobody from the others: `refused` names it, and why
        it is as it was. It is tried again the next time.
        """
        parts, refused = self._parts(), dict[str, str]()
        for key, decision in decisions.of.items():
            if not self._differs(decision):
                continue
            try:
                self._toggles[key].apply(parts, decision.value)
            except ValueError as error:
                refused[key] = str(error)
            except Exception as error:
                log.exception("flag.failed", flag=key, value=decision.value)
                refused[key] = f"{type(error).__name__}: {error}"
            else:
                self._applied[key] = decision.value
        self.decisions, self.refused = decisions, refused

    def equip(self, engine: Engine) -> Engine:
        """One that was just made is as the others are. Any thread."""
        for key, value in self._applied.items():
            self._toggles[key].equip(engine, value)
        return engine

    def in_force(self) -> dict[str, str]:
        """By key, as the parts say themselves. Any thread."""
        parts = self._parts()
        told = {key: toggle.in_force(parts) for key, toggle in self._toggles.items()}
        return told | {flag.key: str(self.decisions.items.share(flag)) for flag in OF_ITEMS}

    def _differs(self, decision: Decision) -> bool:
        key = decision.key
        return key in self._toggles and self._applied.get(key) != decision.value
