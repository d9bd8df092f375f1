"""The scopes of an API token: in which areas it may do what its role allows."""

from collections.abc import Iterable
from enum import StrEnum

from console.access.roles import Role


class Scope(StrEnum):
    """Each narrows a role, none widens it. In the order in which pages name them."""

    READ = "read"
    RUNS = "runs"
    CONTROL = "control"
    FLAGS = "flags"
    OFREP = "ofrep"
    ADMIN = "admin"

    @property
    def needs(self) -> Role:
        """The least role to which it is of any use."""
        return _NEEDS.get(self, Role.OPERATOR)


_NEEDS = {Scope.READ: Role.VIEWER, Scope.OFREP: Role.VIEWER, Scope.ADMIN: Role.ADMIN}
SAID = {
    Scope.READ: "read everything",
    Scope.RUNS: "start, cancel and retry runs",
    Scope.CONTROL: "act on breakers, caches, nodes and alerts, and take that back",
    Scope.FLAGS: "change flags, write of optimisations, and take that back",
    Scope.OFREP: "evaluate flags",
    Scope.ADMIN: "add, remove and order nodes",
}
# As the column's default writes it: a token of the release before has every scope of its role.
EVERY = " ".join(Scope)


def scopes_of(role: Role) -> frozenset[Scope]:
    """All that are of use to `role`."""
    return frozenset(scope for scope in Scope if role.covers(scope.needs))


def in_order(scopes: Iterable[str]) -> list[Scope]:
    """Those that there are, each once."""
    wanted = set(scopes)
    return [scope for scope in Scope if scope in wanted]
