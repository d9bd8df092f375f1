from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection

from console.access.lockout import ACCOUNT, NETWORK, forgive, reserve
from console.access.models import SignInAttempts

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


def attempt(
    name: str = "ada", address: str = "192.0.2.1", after: timedelta = timedelta()
) -> object:
    return reserve(name, address, now=NOON + after)


def test_an_account_is_locked_after_its_failures_and_says_until_when() -> None:
    for _ in range(ACCOUNT.failures):
        assert attempt() is None
    assert attempt() == NOON + ACCOUNT.lock
    assert attempt(address="198.51.100.7") == NOON + ACCOUNT.lock
    assert attempt("grace") is None


def test_it_opens_again_by_itself() -> None:
    for _ in range(ACCOUNT.failures):
        attempt()
    assert attempt(after=ACCOUNT.lock) is None


def test_a_locked_account_does_not_stay_locked_by_trying() -> None:
    for _ in range(ACCOUNT.failures + 3):
        attempt(address="198.51.100.7")
    assert attempt(after=ACCOUNT.lock - timedelta(seconds=1)) == NOON + ACCOUNT.lock


def test_a_network_that_tries_many_accounts_is_locked() -> None:
    for n in range(NETWORK.failures):
        assert attempt(f"user-{n}") is None
    assert attempt("somebody else") == NOON + NETWORK.lock
    assert attempt("somebody else", "203.0.113.9") is None


def test_one_ipv6_customer_is_one_network_and_a_mapped_address_is_its_ipv4() -> None:
    for n in range(NETWORK.failures):
        attempt(f"user-{n}", f"2001:db8:1:2::{n:x}")
    assert attempt("x", "2001:db8:1:2:ffff::1") is not None
    assert attempt("x", "2001:db8:1:3::1") is None
    attempt("y", "::ffff:192.0.2.77")
    assert SignInAttempts.objects.filter(key="network:192.0.2.77").exists()


def test_the_right_password_clears_the_account_and_gives_the_network_its_attempt_back() -> None:
    for _ in range(ACCOUNT.failures - 1):
        attempt()
    forgive("ada", "192.0.2.1")
    for _ in range(ACCOUNT.failures):
        assert attempt() is None
    row = SignInAttempts.objects.get(key="network:192.0.2.1")
    assert row.failures == 2 * ACCOUNT.failures - 2


def test_spelling_a_name_otherwise_is_no_new_account() -> None:
    for name in ("ada", "ADA", " Ada ", "\uff41da", "ada"):
        attempt(name)
    assert attempt("aDa") is not None


def test_nothing_typed_is_kept_and_old_rows_go() -> None:
    attempt("hunter2 typed into the wrong field " * 40)
    assert all("hunter2" not in row.key for row in SignInAttempts.objects.all())
    attempt("later", after=timedelta(hours=3))
    assert SignInAttempts.objects.count() == 2


@pytest.mark.django_db(transaction=True)
def test_many_at_once_do_not_slip_through_together() -> None:
    """Of one account from many networks, and of many accounts from one network."""

    def one(number: int) -> tuple[bool, bool]:
        try:
            first = attempt("ada", f"203.0.113.{number}")
            second = attempt(f"user {number}", "192.0.2.1")
            return first is None, second is None
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        let = list(pool.map(one, range(2 * NETWORK.failures)))
    assert sum(first for first, _ in let) == ACCOUNT.failures
    assert sum(second for _, second in let) == NETWORK.failures
