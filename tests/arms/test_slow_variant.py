"""`manage.py fault slow-variant`: what it refuses, and with which words."""

import pytest
from django.core.management import CommandError, call_command
from pytest_django import Settings

from console.faults import slow_variant
from console.faults.fault import CannotCause
from monitoring import valkey
from validation import drag
from validation.flags import OF_ITEMS


def refused(*arguments: str) -> str:
    with pytest.raises(CommandError) as error:
        call_command("fault", *arguments)
    assert error.value.returncode == 2
    return str(error.value)


def test_where_neither_debug_nor_development_is_on_nothing_is_caused(settings: Settings) -> None:
    settings.DEVELOPMENT = settings.DEBUG = False
    assert "development stack" in refused("slow-variant", "rpc.fetch_mode=batch")
    assert valkey.client().get(drag.KEY) is None


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ("", "Name a flag and its variant: slow-variant "),
        ("rpc.fetch_mode", "Name a flag and its variant"),
        ("rpc.retry=budgeted", "rpc.retry is decided once for a whole process"),
        ("web.compression=gzip", "web.compression is decided once for a whole process"),
        ("shop.cart=new", "asks for no flag named 'shop.cart'"),
        ("rpc.fetch_mode=pipelined", "rpc.fetch_mode has no variant 'pipelined': one of"),
    ],
)
def test_what_cannot_be_slowed_is_named_with_its_reason(what: str, words: str) -> None:
    told = refused("slow-variant", what)
    assert words in told
    assert told.startswith("slow-variant: ")


@pytest.mark.parametrize("more", ["0", "-30", "501", "nan", "inf"])
def test_how_much_longer_is_bounded(more: str) -> None:
    told = refused("slow-variant", "rpc.fetch_mode=batch", f"--more={more}")
    assert "is not from 1 to 500 percent" in told


def test_other_faults_take_no_variant() -> None:
    assert "cache-loss takes no variant" in refused("cache-loss", "rpc.fetch_mode=batch")
    assert "cache-loss takes no variant" in refused("cache-loss", "--more", "30")
    assert "--for 0s is not from 1s" in refused(
        "slow-variant", "rpc.fetch_mode=batch", "--seconds", "0"
    )


def test_without_a_worker_it_says_how_one_is_brought(empty_cache: None) -> None:
    fault = slow_variant.of("rpc.fetch_mode=batch", 30)
    with pytest.raises(CannotCause, match=r"No worker is up: start some with `make up`"):
        fault.prepare()


def test_every_flag_that_splits_items_can_be_slowed() -> None:
    for flag in OF_ITEMS:
        assert flag.key in slow_variant.of(f"{flag.key}={flag.default}", 30).does


def test_what_was_asked_is_taken_back_and_lapses_where_nobody_takes_it_back(
    empty_cache: None,
) -> None:
    fault = slow_variant.of("rpc.fetch_mode=batch", 40)
    fault.cause({})
    assert drag.asked() == drag.Asked(flag="rpc.fetch_mode", variant="batch", more=40)
    assert 0 < valkey.client().ttl(drag.KEY) <= drag.LIFE_S
    fault.heal({})
    assert drag.asked() is None
