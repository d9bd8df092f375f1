"""`manage.py verify`: 0 verifies, 1 does not, 2 cannot read; with no server and no network."""

import json
import subprocess
import sys
from io import BytesIO, TextIOWrapper
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from tests.evidence.tampering import changed
from tests.evidence.worlds import MADE_AT, chain, checkpoint, made, subjects
from validation import evidence
from validation.checkpoint import Checkpoint
from validation.evidence import telling
from validation.evidence.trust import Ours

ROOT = Path(__file__).parents[2]


@pytest.fixture
async def file(tmp_path: Path) -> Path:
    _, packed = await made(subjects()["tx"], 2)
    path = tmp_path / "V-1-0.proof.json"
    path.write_bytes(evidence.document(packed))
    return path


def _verify(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        call_command("verify", *arguments)
    assert isinstance(ended.value.code, int)
    return ended.value.code


def test_a_bundle_that_verifies(
    file: Path, capsys: pytest.CaptureFixture[str], settings: Any
) -> None:
    settings.NODE_CHAIN_ID = chain().chain_id
    assert _verify(str(file)) == 0
    said = capsys.readouterr().out
    assert said.startswith(f"{subjects()['tx']}\nvalid, level 2 of 2 asked: ")
    assert "  2 self-consistent     reached\n" in said
    assert "      pass  hash " in said
    assert "from answers of node-1:8545" in said
    assert "Verifies: computed from the answers alone" in said


def test_a_bundle_that_does_not(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = ("exchanges", 0, "questions", 0, "result", "value")
    file.write_bytes(changed(json.loads(file.read_bytes()), path, "0x7", sealed=True))
    assert _verify(str(file)) == 1
    said = capsys.readouterr().out
    assert "The verdict is invalid, the bundle says valid." in said
    assert "  2 self-consistent     FAILED" in said
    assert "DOES NOT VERIFY" in said


def test_as_json(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _verify(str(file), "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["same"], told["differences"]) == (True, [])
    assert told["outcome"]["verdict"] == "valid"


_ESCAPE = "\x1b[2J\x1b[1;1HVerifies: all is well\nVerifies: forged\x9b2J\u202e"


@pytest.mark.parametrize("as_json", [False, True])
def test_what_a_stranger_wrote_moves_no_cursor_and_forges_no_line(
    file: Path, capsys: pytest.CaptureFixture[str], as_json: bool
) -> None:
    document = json.loads(file.read_bytes())
    document["context"]["others"] = [_ESCAPE]
    document["exchanges"][0]["node"] = document["outcome"]["node"] = _ESCAPE
    document["outcome"]["reason"] = document["outcome"]["checks"][0]["name"] = _ESCAPE
    file.write_bytes(changed(document, ("digest",), _ESCAPE, sealed=False))
    assert _verify(str(file), *["--json"] * as_json) == 1
    said = capsys.readouterr().out
    assert all(line.isprintable() for line in said.split("\n"))
    assert "2J" in said
    assert "\nVerifies" not in said


def test_what_cannot_be_read_is_not_shown_as_it_is_either(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    document = json.loads(file.read_bytes())
    file.write_bytes(changed(document, ("version",), _ESCAPE, sealed=True))
    assert _verify(str(file)) == 2
    said = capsys.readouterr().err
    assert "Verifies: all is well" in said
    assert said.removesuffix("\n").isprintable()


@pytest.mark.parametrize(("made_at", "ends"), [(253_402_300_799, 0), (253_402_300_800, 2)])
def test_no_later_than_a_calendar_has_names_for(
    file: Path, capsys: pytest.CaptureFixture[str], made_at: int, ends: int
) -> None:
    file.write_bytes(changed(json.loads(file.read_bytes()), ("made_at",), made_at, sealed=True))
    assert _verify(str(file)) == ends
    said = capsys.readouterr()
    assert ("9999-12-31 23:59:59 UTC" in said.out) is (ends == 0)
    assert ("made_at" in said.err) is (ends == 2)


@pytest.mark.parametrize("content", [None, b"", b"{}", b"garbage", b'{"format":'])
def test_what_cannot_be_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes | None
) -> None:
    path = tmp_path / "file"
    if content is not None:
        path.write_bytes(content)
    assert _verify(str(path)) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith(f"verify: {path}: ")
    assert said.err.count("\n") == 1


def test_a_folder_cannot_be_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _verify(str(tmp_path)) == 2
    assert capsys.readouterr().err == f"verify: {tmp_path}: Is a directory.\n"


def test_from_standard_input(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", TextIOWrapper(BytesIO(file.read_bytes())))
    assert _verify("-") == 0


def test_it_needs_no_server(file: Path) -> None:
    """A machine with nothing configured and nothing running."""
    done = subprocess.run(
        [sys.executable, str(ROOT / "manage.py"), "verify", str(file)],
        env={"PATH": "", "VAR_DIR": str(file.parent / "none")},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stderr == ""
    assert done.returncode == 0, done.stdout


def test_it_says_whose_checkpoint_the_bundle_rests_on(file: Path) -> None:
    finding = evidence.verify(file.read_bytes())
    trusted = f"checkpoint  {checkpoint().number}:{checkpoint().hash}"
    alone, ours, other = (
        "\n".join(telling.lines(finding, ours=known))
        for known in (
            Ours(),
            Ours(checkpoint=checkpoint()),
            Ours(checkpoint=Checkpoint(7, "0x" + "7" * 64)),
        )
    )
    assert f"{trusted}\n" in alone
    assert f"{trusted}, the one that is trusted here\n" in ours
    assert f"{trusted}, not the one trusted here: 7:0x{'7' * 64}\n" in other


@pytest.fixture
async def anchored(tmp_path: Path) -> Path:
    """Of level 4: it rests on the checkpoint that it names itself."""
    _, packed = await made(subjects()["tx"], 4)
    path = tmp_path / "V-1-1.proof.json"
    path.write_bytes(evidence.document(packed))
    return path


OWN = f"{checkpoint().number}:{checkpoint().hash}"
OTHER = f"{checkpoint().number}:0x{'7' * 64}"


def test_a_bundle_that_brings_its_own_checkpoint_says_so_with_its_verdict(
    anchored: Path, capsys: pytest.CaptureFixture[str], settings: Any
) -> None:
    settings.CHECKPOINT = settings.NODE_CHAIN_ID = None
    assert _verify(str(anchored)) == 0
    verdict = capsys.readouterr().out.splitlines()[-1]
    assert verdict.startswith(f"Verifies ONLY IF YOU TRUST checkpoint {OWN} and chain ")
    assert "the bundle's own word" in verdict
    assert _verify(str(anchored), "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["same"], told["trusted"], told["checkpoint"]) == (True, False, OWN)
    assert (told["chain_id"], told["made_at"]) == (chain().chain_id, MADE_AT)


def test_it_verifies_where_its_checkpoint_and_chain_are_ours(
    anchored: Path, capsys: pytest.CaptureFixture[str], settings: Any
) -> None:
    settings.CHECKPOINT, settings.NODE_CHAIN_ID = None, chain().chain_id
    assert _verify(str(anchored), "--checkpoint", OWN) == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith("Verifies: computed")
    settings.CHECKPOINT = checkpoint()
    assert _verify(str(anchored), "--json") == 0
    assert json.loads(capsys.readouterr().out)["trusted"] is True


def test_it_does_not_verify_where_ours_are_others(
    anchored: Path, capsys: pytest.CaptureFixture[str], settings: Any
) -> None:
    settings.CHECKPOINT, settings.NODE_CHAIN_ID = checkpoint(), 99
    assert _verify(str(anchored), "--checkpoint", OTHER) == 1
    said = capsys.readouterr().out
    assert f"The checkpoint trusted here is {OTHER}, the bundle takes {OWN} for granted." in said
    assert f"The chain trusted here is 99, the bundle takes {chain().chain_id} for granted" in said
    assert "DOES NOT VERIFY: 2 differences" in said
    assert _verify(str(anchored), "--json") == 1
    told = json.loads(capsys.readouterr().out)
    assert (told["same"], told["trusted"], len(told["differences"])) == (False, False, 1)


def test_below_level_four_no_checkpoint_is_needed(file: Path, settings: Any) -> None:
    settings.CHECKPOINT, settings.NODE_CHAIN_ID = checkpoint(), None
    assert _verify(str(file), "--checkpoint", OTHER) == 0


def test_a_checkpoint_that_is_none_is_refused(file: Path) -> None:
    with pytest.raises(CommandError, match="--checkpoint: seven"):
        call_command("verify", str(file), "--checkpoint", "seven")
