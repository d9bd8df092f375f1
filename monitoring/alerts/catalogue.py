"""The catalogue: every rule by its key."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from monitoring.alerts import (
    console_rules,
    database_rules,
    process_rules,
    watch_rules,
    work_rules,
)
from monitoring.alerts.rules import Rule

RULES: Final[Mapping[str, Rule]] = MappingProxyType(
    {
        rule.key: rule
        for rules in (database_rules, work_rules, process_rules, console_rules, watch_rules)
        for rule in rules.RULES
    }
)
