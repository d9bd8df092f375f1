"""A file of flagd's format goes out and comes back as it was; a bad one is refused by name."""

import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from openfeature.contrib.tools.flagd.core import FlagdCore
from openfeature.evaluation_context import EvaluationContext

from console.access.models import AuditEntry
from console.controls.errors import Refused
from console.flags import flagd_file
from console.flags.models import Flag

OWN: dict[str, Any] = {
    "title": "Checkout", "description": "The new one.", "type": "string",
    "variants": {"old": "old", "new": "new", "newer": "newer"}, "baseline": "old",
    "target": "newer", "rest": "new", "stage": 30, "unit": "item",
    "units": ["item", "process", "time_slot"], "slot_s": 90, "layer": "shop",
    "bake_s": {"5": 60, "50": 10}, "metadata": {"owner": "shop", "since": 2026},
}  # fmt: skip
RULE = {"if": [{"ends_with": [{"var": "email"}, "@example.org"]}, "on", "off"]}
FOREIGN: dict[str, Any] = {
    "$schema": "https://flagd.dev/schema/v0/flags.json",
    "flags": {
        "welcome": {
            "state": "ENABLED", "variants": {"on": True, "off": False}, "defaultVariant": "off",
            "targeting": {"if": [{"$ref": "staff"}, "on", "off"]}, "metadata": {"team": "web"},
        }
    },
    "$evaluators": {"staff": {"ends_with": [{"var": "email"}, "@example.org"]}},
}  # fmt: skip


def export(tmp_path: Path) -> Path:
    path = tmp_path / "flags.json"
    call_command("flags", "export", str(path), stderr=StringIO())
    return path


def bring(path: Path) -> str:
    out = StringIO()
    call_command("flags", "import", str(path), "--reason=Back as it was", stdout=out, stderr=out)
    return out.getvalue()


def rows() -> dict[str, dict[str, Any]]:
    passing = {"revision", "changed_at", "staged_at", "actor", "reason"}
    return {
        row["key"]: {name: value for name, value in row.items() if name not in passing}
        for row in Flag.objects.values()
    }


@pytest.mark.django_db
def test_what_goes_out_comes_back_as_it_was(tmp_path: Path) -> None:
    Flag.objects.create(key="shop.checkout", **OWN)
    custom = OWN | {"stage": 0, "layer": "", "targeting": {"if": [True, "new"]}}
    Flag.objects.create(key="shop.rule", **custom)
    needs = OWN | {"layer": "", "stage": 100}
    needs["requires"] = [{"flag": "shop.checkout", "variant": "newer"}]
    Flag.objects.create(key="shop.held", **needs)
    Flag.objects.filter(key="rpc.retry").update(stage=25, target="backoff", unit="process")
    Flag.objects.filter(key="rpc.hedging").update(enabled=False)
    before, path = rows(), export(tmp_path)
    Flag.objects.filter(key__startswith="shop.").delete()
    Flag.objects.filter(key="rpc.retry").update(stage=100, target="budgeted")
    Flag.objects.filter(key="rpc.hedging").update(enabled=True)
    said = bring(path)
    assert rows() == before
    assert {"created shop.checkout", "edited rpc.retry"} <= set(said.splitlines())
    acts = AuditEntry.objects.count()
    assert bring(path).startswith(f"{Flag.objects.count()} flags were as the file has them")
    assert AuditEntry.objects.count() == acts


@pytest.mark.django_db
def test_an_export_is_what_any_flagd_evaluates(tmp_path: Path) -> None:
    Flag.objects.create(key="shop.checkout", **OWN)
    core = FlagdCore()
    core.set_flags(export(tmp_path).read_text())
    found = core.resolve_string_value("rpc.fetch_mode", "?", EvaluationContext("tx:0x1"))
    assert (found.value, found.reason) == ("coalesced", "STATIC")
    split = core.resolve_string_value("shop.checkout", "?", EvaluationContext("somebody"))
    assert split.value in {"new", "newer"}


@pytest.mark.django_db
def test_a_file_of_somebody_else_is_taken(tmp_path: Path) -> None:
    path = tmp_path / "theirs.json"
    path.write_text(json.dumps(FOREIGN))
    assert "created welcome" in bring(path)
    flag = Flag.objects.get(key="welcome")
    assert (flag.rest, flag.baseline, flag.stage, flag.type) == ("off", "off", 0, "boolean")
    assert flag.targeting == RULE
    assert flag.metadata == {"team": "web"}


@pytest.mark.django_db
def test_a_bad_file_leaves_everything_as_it_was(tmp_path: Path) -> None:
    before, path = rows(), export(tmp_path)
    document = json.loads(path.read_text())
    document["flags"]["zzz.last"] = {"state": "ENABLED", "variants": {}, "defaultVariant": "x"}
    document["flags"]["rpc.retry"]["metadata"]["stage"] = 50
    path.write_text(json.dumps(document))
    with pytest.raises(CommandError, match=r"zzz\.last\.variants.*Nothing was imported"):
        bring(path)
    assert rows() == before
    assert not AuditEntry.objects.exists()


def one(**fields: Any) -> str:
    flag = {"state": "ENABLED", "variants": {"on": True, "off": False}, "defaultVariant": "on"}
    return json.dumps({"flags": {"f": flag | fields}})


DEEP: dict[str, Any] = {"!": [1]}
for _ in range(100):
    DEEP = {"!": [DEEP]}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "file: 'line 1, column 2' is not JSON"),
        ("[]", 'an object with "flags"'),
        ("{}", "flags: 'nothing'"),
        ('{"flags": {"a": 1, "a": 2}}', "the key 'a' is there twice"),
        ('{"flags": {"f": NaN}}', "file: 'NaN'"),
        ('{"flags": {"f": 7}}', "flags.f: '7' is not an object"),
        ("[" * 100_000, "file"),
        (one(state="ON"), "flags.f.state: '\"ON\"' is not ENABLED or DISABLED"),
        (one(variants=[]), "flags.f.variants: '[]'"),
        (one(defaultVariant="maybe"), "flags.f.defaultVariant: '\"maybe\"' is not one of on, off"),
        (one(defaultVariant=None), "flags.f.defaultVariant: 'nothing'"),
        (one(defaultVariant=["on"]), "flags.f.defaultVariant: '[\"on\"]'"),
        (one(defaultVariant={}), "flags.f.defaultVariant: '{}'"),
        (one(metadata={"a": []}), "flags.f.metadata.a: '[]'"),
        (one(colour="red"), "flags.f.colour: '\"red\"'"),
        (one(targeting="on"), "flags.f.targeting: '\"on\"'"),
        (one(targeting={"shout": ["on"]}), "flags.f.targeting: 'shout'"),
        (one(targeting={"if": [{"log": "x"}, "on"]}), "flags.f.targeting: 'log'"),
        (one(targeting={"$ref": "staff"}), "flags.f.targeting: '\"staff\"'"),
        (one(targeting=DEEP), "nested less than"),
        ('{"flags": {"f": %s}}' % ("9" * 5000), "a number of 5000 digits"),
    ],
    ids=range(21),
)  # fmt: skip
def test_a_refusal_names_flag_field_and_value(text: str, says: str) -> None:
    with pytest.raises(Refused) as refusal:
        flagd_file.parse(text)
    assert says in str(refusal.value)


def test_evaluators_that_refer_to_themselves_are_refused() -> None:
    document = json.loads(one(targeting={"$ref": "a"}))
    document["$evaluators"] = {"a": {"!": [{"$ref": "a"}]}}
    with pytest.raises(Refused, match="nested less than"):
        flagd_file.parse(json.dumps(document))


def test_a_file_that_is_too_large_is_not_read() -> None:
    with pytest.raises(Refused, match="file: "):
        flagd_file.parse(" " * (flagd_file.LARGEST + 1))


@pytest.mark.django_db
def test_a_file_may_be_a_pipe(monkeypatch: pytest.MonkeyPatch) -> None:
    out, said = StringIO(), StringIO()
    call_command("flags", "export", "-", stdout=out)
    Flag.objects.filter(key="rpc.retry").update(stage=0)
    monkeypatch.setattr("sys.stdin", StringIO(out.getvalue()))
    call_command("flags", "import", "-", "--reason=Back as it was", stdout=said, stderr=StringIO())
    assert said.getvalue() == "edited rpc.retry\n"
    assert Flag.objects.get(key="rpc.retry").stage == 100


@pytest.mark.django_db
def test_a_file_that_cannot_be_read_or_written_is_said(tmp_path: Path) -> None:
    missing = tmp_path / "no" / "flags.json"
    with pytest.raises(CommandError, match="cannot be read: No such file"):
        bring(missing)
    with pytest.raises(CommandError, match="cannot be written: No such file"):
        call_command("flags", "export", str(missing))
    (tmp_path / "latin").write_bytes(b'{"flags": "\xe9"}')
    with pytest.raises(CommandError, match="not text in UTF-8"):
        bring(tmp_path / "latin")


@pytest.mark.django_db
def test_flags_are_brought_by_hand_too() -> None:
    Flag.objects.filter(key="rpc.retry").delete()
    out = StringIO()
    call_command("flags", "load", stdout=out)
    assert out.getvalue() == "rpc.retry\n"
