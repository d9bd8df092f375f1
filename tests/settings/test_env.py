from pathlib import Path

import pytest

from console import env
from console.database import database_settings, postgres_url, replica_urls


def refusal(capsys: pytest.CaptureFixture[str]) -> str:
    line = capsys.readouterr().err
    assert line.count("\n") == 1
    return line


@pytest.mark.parametrize("value", ["abc", "0", "70000", "80.5"])
def test_a_bad_number_is_refused_by_name_and_value(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], value: str
) -> None:
    monkeypatch.setenv("PORT", value)
    with pytest.raises(SystemExit) as refused:
        env.integer("PORT", 8000, low=1, high=65535)
    assert refused.value.code == 2
    line = refusal(capsys)
    assert f"PORT='{value}'" in line
    assert "from 1 to 65535" in line


def test_defaults_stand_where_nothing_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PORT", "DEBUG"):
        monkeypatch.delenv(name, raising=False)
    assert env.integer("PORT", 8000, low=1, high=65535) == 8000
    assert env.boolean("DEBUG") is False
    monkeypatch.setenv("DEBUG", "")
    assert env.boolean("DEBUG", default=True) is True


def test_neither_yes_nor_no_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DEBUG", "perhaps")
    with pytest.raises(SystemExit):
        env.boolean("DEBUG")
    assert "DEBUG='perhaps'" in refusal(capsys)


def test_a_secret_may_stand_in_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("hidden\n")
    monkeypatch.delenv("SECRET_KEY", raising=False)
    monkeypatch.setenv("SECRET_KEY_FILE", str(tmp_path / "key"))
    assert env.text("SECRET_KEY") == "hidden"


def test_a_secret_file_that_is_not_there_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("SECRET_KEY", raising=False)
    monkeypatch.setenv("SECRET_KEY_FILE", str(tmp_path / "absent"))
    with pytest.raises(SystemExit):
        env.text("SECRET_KEY")
    assert "SECRET_KEY_FILE" in refusal(capsys)


def test_networks_are_networks(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("METRICS_NETWORKS", "10.0.0.0/8, 2001:db8::/32")
    assert [str(n) for n in env.networks("METRICS_NETWORKS")] == ["10.0.0.0/8", "2001:db8::/32"]
    monkeypatch.setenv("METRICS_NETWORKS", "10.0.0.0/8,everyone")
    with pytest.raises(SystemExit):
        env.networks("METRICS_NETWORKS")
    assert "'everyone'" in refusal(capsys)


def test_a_database_url_keeps_what_only_libpq_knows() -> None:
    url = "postgresql://u:p%40ss@/name?host=/run/pg&sslmode=require"
    settings = database_settings(url, pooled=True, pool_max=6)
    assert (settings["NAME"], settings["USER"], settings["PASSWORD"]) == ("name", "u", "p@ss")
    assert settings["HOST"] == "/run/pg"
    assert settings["OPTIONS"]["sslmode"] == "require"
    assert settings["OPTIONS"]["pool"]["max_size"] == 6


def test_only_the_web_process_pools() -> None:
    assert "pool" not in database_settings("postgresql://h/n", pooled=False, pool_max=8)["OPTIONS"]


@pytest.mark.parametrize(
    "url",
    ["redis://u:secret@h/0", "postgresql://u:secret@h:70000/n", "postgresql://u:secret@h/n?a=1"],
)
def test_a_url_that_is_not_postgres_is_refused_without_its_password(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], url: str
) -> None:
    monkeypatch.setenv("PGBOUNCER_ADMIN_URL", url)
    with pytest.raises(SystemExit):
        postgres_url("PGBOUNCER_ADMIN_URL")
    line = refusal(capsys)
    assert "PGBOUNCER_ADMIN_URL" in line
    assert "secret" not in line


def test_a_postgres_url_may_be_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PGBOUNCER_ADMIN_URL", raising=False)
    assert postgres_url("PGBOUNCER_ADMIN_URL") == ""
    url = "postgresql://u:p@h:6432/pgbouncer?sslmode=require"
    monkeypatch.setenv("PGBOUNCER_ADMIN_URL", url)
    assert postgres_url("PGBOUNCER_ADMIN_URL") == url


@pytest.mark.parametrize("url", ["mysql://u:secret@h/n", "postgresql://u:secret@h:port:1/n"])
def test_a_bad_database_url_is_refused_without_its_password(
    capsys: pytest.CaptureFixture[str], url: str
) -> None:
    with pytest.raises(SystemExit):
        database_settings(url, pooled=False, pool_max=8)
    line = refusal(capsys)
    assert "DATABASE_URL" in line
    assert "secret" not in line


def test_origins_are_what_browsers_send(monkeypatch: pytest.MonkeyPatch) -> None:
    named = "https://app.example.com, http://localhost:5173,https://[::1]:8443"
    monkeypatch.setenv("OFREP_ORIGINS", named)
    assert env.origins("OFREP_ORIGINS") == [part.strip() for part in named.split(",")]


@pytest.mark.parametrize(
    "value",
    [
        *("*", "null", "app.example.com", "ftp://app.example.com", "https://", "https://*.example"),
        *("https://a.example/", "https://a.example/app", "https://A.example", "https://a:b"),
        *("https://user@a.example", "https://a.example:443", "http://a.example:80", "https://a b"),
    ],
)
def test_what_is_no_origin_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], value: str
) -> None:
    monkeypatch.setenv("OFREP_ORIGINS", f"https://app.example.com,{value}")
    with pytest.raises(SystemExit):
        env.origins("OFREP_ORIGINS")
    assert f"OFREP_ORIGINS={value!r}" in refusal(capsys)


def test_replicas_are_named_in_order_and_weighed(monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = "postgresql://u:secret@a/n", "postgresql://u:secret@b:5433/n"
    monkeypatch.setenv("DATABASE_REPLICA_URLS", f"{one};weight=60, {other}")
    found = [(each.label, each.url, each.weight) for each in replica_urls("DATABASE_REPLICA_URLS")]
    assert found == [("replica_1", one, 60), ("replica_2", other, 1)]
    monkeypatch.delenv("DATABASE_REPLICA_URLS")
    assert replica_urls("DATABASE_REPLICA_URLS") == ()


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("mysql://u:secret@a/n", "a Postgres URL"),
        ("postgresql://u:secret@a/n;weight=0", "weight=0' is not a weight from 1 to 1000"),
        ("postgresql://u:secret@a/n;weight=most", "weight=most' is not a weight"),
        ("postgresql://u:secret@a/n;heavy=1", "a list of URLs that end in ;weight=60"),
        (",".join(["postgresql://u:secret@a/n"] * 2), "a list without repetitions"),
        (",".join(f"postgresql://u:secret@a{n}/n" for n in range(9)), "a list of 8 at most"),
    ],
)
def test_bad_replicas_are_refused_without_their_passwords(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], value: str, expected: str
) -> None:
    monkeypatch.setenv("DATABASE_REPLICA_URLS", value)
    with pytest.raises(SystemExit):
        replica_urls("DATABASE_REPLICA_URLS")
    line = refusal(capsys)
    assert "DATABASE_REPLICA_URLS" in line
    assert expected in line
    assert "secret" not in line
