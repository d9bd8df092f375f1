"""The servers by the API: what the collector saw, and that a failure is no sample."""

import msgspec
import pytest
from django.test import Client

from console.api.database import _SCHEMAS
from monitoring import valkey
from monitoring.collectors.told import Told
from tests import made_up_database as made_up

ADDRESS = "/api/v1/database"


@pytest.fixture(autouse=True)
def nothing_is_known() -> None:
    valkey.client().flushdb()


def test_every_source_with_its_age(operator: Client) -> None:
    made_up.publish_all()
    found = operator.get(ADDRESS).json()
    sample = found["postgres"]["sample"]
    assert sample["server"]["max_connections"] == 100
    assert sample["blocked"][0]["blockers"] == [40]
    assert sample["statements"]["slowest"][0]["text"] == made_up.TEXT
    wanted = msgspec.json.decode(msgspec.json.encode(made_up.a_troubled_postgres()))
    assert {**sample, "server": 0, "sizes": 0} == {**wanted, "server": 0, "sizes": 0}
    assert found["postgres"]["age_s"] < 10
    assert {one["topic"] for one in found["advice"]} == {"transaction", "index", "scan", "vacuum"}
    assert found["cache"]["sample"]["policy"] == "volatile-lfu"
    assert found["celery"]["sample"]["length"] == 14


def test_a_failure_stands_beside_what_was_known(operator: Client) -> None:
    made_up.publish(celery=made_up.a_queue())
    made_up.publish(celery="It cannot be reached.", postgres="It cannot be reached.")
    found = operator.get(ADDRESS).json()
    assert found["postgres"]["sample"] is None
    assert found["postgres"]["failure"] == "It cannot be reached."
    assert found["celery"]["sample"]["length"] == 14
    assert found["celery"]["failure"] == "It cannot be reached."
    assert found["broker"] == {"sample": None, "age_s": None, "failure": "", "failure_age_s": None}


def test_without_the_cache_server_nothing_can_be_read(
    operator: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("console.api.database.told.read", lambda *_: Told(reachable=False))
    answer = operator.get(ADDRESS)
    assert answer.status_code == 503
    assert "cache server does not answer" in answer.json()["detail"]


def test_the_document_holds_every_field_of_the_samples() -> None:
    for kind, schema in _SCHEMAS.items():
        assert set(schema.model_fields) == set(kind.__struct_fields__)
