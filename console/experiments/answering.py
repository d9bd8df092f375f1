"""Answers of the API as they go out to a browser: how many bytes, and what they cost."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from random import Random

import msgspec

from console.compression import COMPRESSIONS, Compression
from console.experiments.claims import Claim
from console.experiments.schedule import Arm
from console.flags.catalogue import BY_KEY, WEB_COMPRESSION, WEB_COMPRESSION_THRESHOLD
from validation.devnode.chain import Chain

_ACCEPTED = "gzip, deflate, br"


class Answers(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """So many a block, each with `rows` of a list, from the least to the most."""

    answers: int = 60
    least_rows: int = 1
    most_rows: int = 100


@contextmanager
def answering(claim: Claim, seed: int) -> Iterator["Answering"]:
    yield Answering(claim, msgspec.convert(claim.workload, Answers), seed)


class Answering:
    """Bodies of real addresses and hashes, which compress as badly as an API's do."""

    def __init__(self, claim: Claim, answers: Answers, seed: int) -> None:
        self._claim, self._answers, self._seed = claim, answers, seed
        self._subjects = Chain.load(None).transactions

    def block(self, pair: int, arms: Sequence[Arm]) -> list[Mapping[str, float]]:
        return [self._one(pair, arm) for arm in arms]

    def _one(self, pair: int, arm: Arm) -> Mapping[str, float]:
        compression, bodies = self._compression(arm), self._bodies(pair)
        headers = [(b"content-type", b"application/json")]
        began, sent = time.process_time(), 0
        for body in bodies:
            sent += len(compression.encode(_ACCEPTED, 200, headers, body)[1])
        cpu_s, raw = time.process_time() - began, sum(map(len, bodies))
        return {
            "answers": len(bodies),
            "bytes": sent / len(bodies),
            "sent_share": sent / raw,
            "cpu_us": cpu_s / len(bodies) * 1e6,
        }

    def _compression(self, arm: Arm) -> Compression:
        ships = {key: BY_KEY[key].ships for key in (WEB_COMPRESSION.key, _THRESHOLD)}
        chosen = {**ships, **self._claim.settings, self._claim.flag: arm.variant}
        values = {key: BY_KEY[key].variants[variant] for key, variant in chosen.items()}
        return Compression(
            offered=COMPRESSIONS[values[WEB_COMPRESSION.key]], threshold=values[_THRESHOLD]
        )

    def _bodies(self, pair: int) -> list[bytes]:
        chance, wanted = Random(f"{self._seed} {pair}"), self._answers  # noqa: S311 - a draw
        return [
            msgspec.json.encode(
                [
                    self._row(chance)
                    for _ in range(chance.randint(wanted.least_rows, wanted.most_rows))
                ]
            )
            for _ in range(wanted.answers)
        ]

    def _row(self, chance: Random) -> dict[str, object]:
        return {
            "subject": chance.choice(self._subjects),
            "verdict": "valid",
            "level": 2,
            "reason": "ok",
            "checks": [{"name": "answered", "status": "pass"}, {"name": "hash", "status": "pass"}],
            "node": "127.0.0.1:8545",
            "ms": round(chance.random() * 30, 3),
        }


_THRESHOLD = WEB_COMPRESSION_THRESHOLD.key
