"""Every way of changing one leaf or one list of an answer, each as a changed copy of the answer."""

from collections.abc import Iterator
from typing import Any, NamedTuple

type Path = tuple[str | int, ...]

_DIGITS = "0123456789abcdef"
_ADDRESS = "0x" + "77" * 20


class Mutation(NamedTuple):
    """`how` the value at `path` was changed, and what to."""

    path: Path
    how: str
    value: Any

    def applied_to(self, answer: Any) -> Any:
        """A copy of what holds the value, along the path; the rest is shared."""
        return _changed(answer, self.path, self.value)

    @property
    def shown(self) -> str:
        return f"{'.'.join(map(str, self.path))} {self.how}"


class _Gone:
    """In place of a value: its key is taken out."""


GONE = _Gone()


def of(answer: Any, path: Path = ()) -> Iterator[Mutation]:
    """All mutations of an answer from `path` on, in the order of its fields."""
    value = answer
    for step in path:
        value = value[step]
    yield from _of(value, path)


def _of(value: Any, path: Path) -> Iterator[Mutation]:
    if isinstance(value, dict):
        for name, held in value.items():
            yield from _of(held, (*path, name))
            if held is not None:  # null and absent say the same
                yield Mutation((*path, name), "absent", GONE)
    elif isinstance(value, list):
        yield from _of_list(value, path)
    else:
        yield from _of_leaf(value, path)


def _of_list(value: list[Any], path: Path) -> Iterator[Mutation]:
    for place, held in enumerate(value):
        yield from _of(held, (*path, place))
    if value:
        yield Mutation(path, "cut by the last", value[:-1])
        yield Mutation(path, "cut by the first", value[1:])
        yield Mutation(path, "the last twice", [*value, value[-1]])
    if value != value[::-1]:
        yield Mutation(path, "reversed", value[::-1])


def _of_leaf(value: Any, path: Path) -> Iterator[Mutation]:
    if value is None:
        yield Mutation(path, "an address", _ADDRESS)
    elif value == "0x":
        yield Mutation(path, "a byte", "0x00")
    elif isinstance(value, bool):
        yield Mutation(path, "the other", not value)
    elif isinstance(value, int):
        yield Mutation(path, "one more", value + 1)
    elif isinstance(value, str) and value.startswith("0x"):
        yield from _of_hex(value, path)
    else:
        raise ValueError(f"no mutation is known of {value!r} at {path}")


def _of_hex(value: str, path: Path) -> Iterator[Mutation]:
    """Digits change into digits, so that neither the length nor a quantity's form gives it away."""
    last = int(value[-1], 16)
    yield Mutation(path, "another last digit", value[:-1] + _DIGITS[last ^ 1])
    if len(value) > 3:
        first = int(value[2], 16)
        # Never nought, which no quantity starts with.
        yield Mutation(path, "another first digit", f"0x{_DIGITS[first % 14 + 1]}{value[3:]}")
    if len(value) >= 42:
        yield Mutation(path, "a byte shorter", value[:-2])
        yield Mutation(path, "a byte longer", value + "00")
        if (noughts := "0x" + "0" * (len(value) - 2)) != value:
            yield Mutation(path, "all noughts", noughts)


def _changed(answer: Any, path: Path, value: Any) -> Any:
    if not path:
        return value
    step, *rest = path
    copy = answer.copy()
    if not rest and value is GONE:
        del copy[step]
    else:
        copy[step] = _changed(copy[step], tuple(rest), value)
    return copy
