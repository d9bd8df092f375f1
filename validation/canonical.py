"""What answers say, in one form: two honest nodes that know the same block say the same bytes.

Dropped is what no root commits to and honest nodes write differently: sizes, total difficulties,
times of blocks beside what is in them, prices that follow from the rest, the second writing of a
signature's parity. What a node leaves out and what it calls null or empty is the same.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from validation.rpc import Call
from validation.rpc.answers import Answer
from validation.subjects import Kind

_NOWHERE = frozenset({"size", "totalDifficulty", "blockTimestamp"})
_OF_RECEIPTS = frozenset({"effectiveGasPrice", "blobGasPrice", "blobGasUsed"})
_LEGACY = "0x0"
_ENCODER = msgspec.json.Encoder(order="deterministic")
_SHOWN, _CHARS = 3, 40


def canonical(kind: Kind, values: Sequence[Any]) -> bytes:
    """The content of a first round's answers: for the same `kind` comparable byte by byte."""
    return _ENCODER.encode([kind.value, *map(_content, values)])


def difference(calls: Sequence[Call], theirs: Sequence[Any], ours: Sequence[Any]) -> str:
    """What `theirs` says otherwise than `ours`, in a line: the first few fields of it."""
    if all(value is None for value in theirs):
        return "null"
    found: list[str] = []
    for call, their, our in zip(calls, theirs, ours, strict=True):
        found += [
            f"{call.method.removeprefix('eth_get')}{path}: {_short(said)}, not {_short(expected)}"
            for path, said, expected in _differing(_content(their), _content(our))
        ]
    more = f"; and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    return "; ".join(found[:_SHOWN]) + more


def _content(value: Any) -> Any:
    return _plain(msgspec.to_builtins(value.value if type(value) is Answer else value))


def _plain(value: Any) -> Any:
    if isinstance(value, str):
        return value.lower()  # hex, whatever else it is
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    if not isinstance(value, dict):
        return value
    found = {
        name: _plain(held)
        for name, held in value.items()
        if name not in _NOWHERE and held not in (None, [], ())
    }
    if "cumulativeGasUsed" in found:
        return _receipt(found)
    return _transaction(found) if "input" in found and "nonce" in found else found


def _transaction(found: dict[str, Any]) -> dict[str, Any]:
    kind = found.setdefault("type", _LEGACY)
    if kind == _LEGACY:
        # What the signature binds is in `v`.
        return _without(found, "chainId", "yParity")
    found["yParity"] = found.get("yParity") or found.get("v")
    # Of later types it is the price paid, which follows from the block.
    return _without(found, "v", *(("gasPrice",) if "maxFeePerGas" in found else ()))


def _receipt(found: dict[str, Any]) -> dict[str, Any]:
    found.setdefault("type", _LEGACY)
    for log in found.get("logs", ()):
        if not log.get("removed", True):
            del log["removed"]
    return _without(found, *_OF_RECEIPTS)


def _without(found: dict[str, Any], *names: str) -> dict[str, Any]:
    for name in names:
        found.pop(name, None)
    return found


def _differing(theirs: Any, ours: Any, path: str = "") -> Iterator[tuple[str, Any, Any]]:
    if isinstance(theirs, dict) and isinstance(ours, dict):
        for name in sorted(theirs.keys() | ours.keys()):
            yield from _differing(theirs.get(name), ours.get(name), f"{path} {name}")
    elif isinstance(theirs, list) and isinstance(ours, list) and len(theirs) == len(ours):
        for place, (their, our) in enumerate(zip(theirs, ours, strict=True)):
            yield from _differing(their, our, f"{path}[{place}]")
    elif theirs != ours:
        yield path, theirs, ours


def _short(value: Any) -> str:
    if isinstance(value, list):
        return f"{len(value)} entries"
    text = "nothing" if value is None else value if isinstance(value, str) else str(value)
    return text if len(text) <= _CHARS else f"{text[:_CHARS]}… ({len(text)} characters)"
