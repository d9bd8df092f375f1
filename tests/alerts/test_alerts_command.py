"""`manage.py alerts`: what it shows, what it ends with, what it refuses."""

import json
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from monitoring.models import Silence
from tests.alerts.test_acts import WHY, an_alert
from tests.made_up_alerts import somebody_looked

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def looked(db: None) -> None:
    somebody_looked()


def run(*words: str, status: int = 0) -> str:
    out = StringIO()
    with pytest.raises(SystemExit) as ended:
        call_command("alerts", *words, stdout=out)
    assert ended.value.code == status
    return out.getvalue()


def refused(*words: str) -> str:
    with pytest.raises(CommandError) as why:
        call_command("alerts", *words)
    assert why.value.returncode == 2
    return str(why.value)


def test_nothing_fires() -> None:
    assert run() == "Nothing fires.\n"


def test_where_nobody_looks_that_is_said_and_it_does_not_end_well() -> None:
    somebody_looked(ago_s=None)
    assert run(status=2).startswith("No data: nobody has looked yet.")
    somebody_looked(ago_s=60)
    said = run(status=2)
    assert said.startswith("No data: nobody has looked since 20")
    assert "Nothing fires" not in said
    told = json.loads(run("--json", status=2))
    assert told["is_missed"] is True
    assert told["looked_at"].startswith("20")
    an_alert()
    assert "No data" in run(status=1)


def test_what_fires_is_told_with_why_nobody_was_told_and_what_to_do() -> None:
    one = an_alert(words="replica_1 is 3.0 s behind the primary.", muted="silence 3 until noon")
    said = run(status=1)
    assert f"{one.pk} firing warning replica.lag replica_1 since" in said
    assert "A replica is behind: replica_1 is 3.0 s behind the primary." in said
    assert "nobody is told: silence 3 until noon" in said
    assert "docs/runbooks/replica-lag.md" in said


def test_what_is_pending_does_not_fire() -> None:
    an_alert(state="pending", fired_at=None)
    assert "pending warning" in run()


def test_as_json() -> None:
    one = an_alert(acknowledged_by="ada")
    told = json.loads(run("--json", status=1))
    assert told["alerts"][0]["id"] == one.pk
    assert told["alerts"][0]["acknowledged_by"] == "ada"
    assert told["alerts"][0]["value"] is None
    assert told["silences"] == []


def test_acts() -> None:
    one = an_alert()
    assert (
        run("acknowledge", str(one.pk), "--reason", WHY) == "acknowledged: replica.lag replica_1\n"
    )
    said = run("silence", "replica.lag", "--subject", "replica_*", "--for", "2h", "--reason", WHY)
    made = Silence.objects.get()
    assert said.startswith(f"silence {made.pk} until ")
    assert (made.rule, made.group, made.subject) == ("replica.lag", "", "replica_*")
    assert f"silence {made.pk}: replica.lag replica_*" in run(status=1)
    run("maintenance", "database", "--for", "30m", "--reason", WHY)
    announced = Silence.objects.get(kind="maintenance")
    assert announced.group == "database"
    said = run("end", str(announced.pk), "--reason", WHY)
    assert said == f"maintenance {announced.pk} has ended\n"
    assert run("end", str(made.pk), "--reason", WHY) == f"silence {made.pk} has ended\n"


def test_what_it_refuses() -> None:
    assert "'seven' is no number" in refused("acknowledge", "seven")
    assert "There is no alert 0" in refused("acknowledge", "0")
    assert "rule 'no.rule' is not" in refused("silence", "no.rule")
    assert "--for 30.0 is not" in refused("silence", "replica.lag", "--for", "30s")
    assert "has an end" in refused("silence", "replica.lag", "--lasting")
