"""The deployment's files agree with the code they deploy; they cannot be run on every machine."""

import ast
import re
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.core.management import get_commands, load_command_class

from console.embedded.child import Program
from console.embedded.stack import Stack
from console.pgbouncer import Fleet, Mode, Place, Room, Server, fit, written
from tests.services import ROOT

COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if "build" in service}
# What others than our settings read in our own containers.
READ_BY_OTHERS = {"REMAP_SIGTERM": "Celery", "OTEL_EXPORTER_OTLP_ENDPOINT": "OpenTelemetry"}
# Of README's table: what `make up` alone takes, what a container has no use for, what migrates.
NOT_OF_CONTAINERS = {
    *("PORT", "HOST", "VAR_DIR", "REPLICAS", "PGBOUNCER", "SWITCHYARD_ADMIN_PASSWORD"),
    *("DATABASE_OWNER_URL", "DEBUG", "DEVELOPMENT", "COLLECT", "OTEL_*"),
}
# Public images, each with the variables it documents.
PUBLIC = {
    "postgres": {"POSTGRES_USER", "POSTGRES_DB", "POSTGRES_PASSWORD_FILE"},
    "edoburu/pgbouncer": set(),
    "valkey/valkey": set(),
    "rabbitmq": set(),
    "prom/prometheus": set(),
    "grafana/grafana": {"GF_SECURITY_ADMIN_PASSWORD__FILE"},
}
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")


def variables_read() -> set[str]:
    """Every name that the code asks the environment for."""
    found: set[str] = set()
    for package in ("console", "validation", "monitoring"):
        for path in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call) and _asks(node):
                    found |= {arg.value for arg in node.args[:1] if _is_name(arg)}  # type: ignore[attr-defined]
    return found


def _asks(call: ast.Call) -> bool:
    readers = {
        *("text", "integer", "optional_integer", "boolean"),
        *("listed", "networks", "origins", "parsed", "chosen", "web_address"),
    }
    function = call.func
    if isinstance(function, ast.Attribute):
        owner = ast.unparse(function.value)
        return (owner == "env" and function.attr in readers) or owner == "os.environ"
    return isinstance(function, ast.Name) and function.id in {
        *readers,
        "destinations",
        "postgres_url",
        "replica_urls",
        "server_url",
    }


def _is_name(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


@pytest.mark.parametrize("name", OURS)
def test_every_variable_it_sets_is_read(name: str) -> None:
    known = variables_read()
    assert "DATABASE_URL" in known
    environment = OURS[name]["environment"]
    strange = {
        variable
        for variable in environment
        if variable.removesuffix("_FILE") not in known and variable not in READ_BY_OTHERS
    }
    assert not strange


@pytest.mark.parametrize("name", ["web", "worker", "beat"])
def test_every_variable_that_readme_tells_of_can_be_set(name: str) -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    cells = re.findall(r"^\| (`[A-Z][A-Z0-9_*`, ]+) \|", readme, re.MULTILINE)
    told = {variable for cell in cells for variable in re.findall(r"`([^`]+)`", cell)}
    assert "NOTIFY_URLS" in told
    given = {variable.removesuffix("_FILE") for variable in OURS[name]["environment"]}
    assert told - NOT_OF_CONTAINERS <= given


def test_the_image_sets_only_what_is_read() -> None:
    known = {*variables_read(), "PATH", "PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE"}
    final = DOCKERFILE.split("FROM ")[-1]
    block = re.search(r"ENV ((?:.*\\\n)*.*)", final)
    assert block is not None
    names = set(re.findall(r"(\w+)=", block[1]))
    assert {"STATIC_ROOT", "VAR_DIR"} <= names <= {*known, "DJANGO_SETTINGS_MODULE"}


@pytest.mark.parametrize("name", SERVICES.keys() - OURS.keys())
def test_every_other_image_is_public_pinned_and_knows_its_variables(name: str) -> None:
    image, _, tag = SERVICES[name]["image"].partition(":")
    assert re.search(r"\d+\.\d+", tag), f"{tag} is not one version"
    assert set(SERVICES[name].get("environment", {})) <= PUBLIC[image]


def test_ours_is_built_here_on_a_pinned_python() -> None:
    assert {service["build"] for service in OURS.values()} == {"."}
    bases = re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)
    assert {re.fullmatch(r"python:3\.13\.\d+-slim", base) is not None for base in bases} == {True}


def test_everything_the_image_copies_exists_and_is_sent_to_the_builder() -> None:
    sent = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    sources = [
        source
        for line in re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.MULTILINE)
        for source in line.split()
    ]
    assert "console" in sources
    for source in sources:
        assert (ROOT / source).exists()
        assert f"!{source}" in sent


def words(command: str | list[str]) -> list[str]:
    parts = command.split() if isinstance(command, str) else list(command)
    return parts[2].removeprefix("exec ").split() if parts[:2] == ["sh", "-c"] else parts


def image_command() -> list[str]:
    found = re.search(r"^CMD (\[.+\])$", DOCKERFILE, re.MULTILINE)
    assert found is not None
    return list(yaml.safe_load(found[1]))


@pytest.mark.parametrize("name", OURS)
def test_every_command_exists(name: str) -> None:
    command = words(OURS[name].get("command", image_command()))
    if command[:2] == ["python", "manage.py"]:
        assert command[2] in get_commands()
        parser = load_command_class(get_commands()[command[2]], command[2])
        parser.create_parser("manage.py", command[2]).parse_args(command[3:])
        return
    assert command[0] in {"uvicorn", "celery"}
    assert find_spec(command[0]) is not None
    module = command[1].split(":")[0] if command[0] == "uvicorn" else "console.celery"
    assert module in command[1] or module in command
    assert find_spec(module) is not None


def test_the_deployment_starts_web_and_worker_as_make_up_does() -> None:
    stack = Stack(root=ROOT, var=Path("/var"), host="0.0.0.0", port=8000, workers=4, given={})

    def options(program: Program) -> set[str]:
        return {word for word in program.command if word.startswith("--")}

    assert options(stack._web({})) == {word for word in image_command() if word.startswith("--")}
    worker = {word for word in words(OURS["worker"]["command"]) if word.startswith("--")}
    assert options(stack._worker({})) == worker


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_is_limited_watched_and_without_new_privileges(name: str) -> None:
    service = SERVICES[name]
    limits = service["deploy"]["resources"]["limits"]
    assert set(limits) == {"cpus", "memory"}
    assert "no-new-privileges:true" in service["security_opt"]
    assert "healthcheck" in service or service["restart"] == "no"


@pytest.mark.parametrize("name", OURS)
def test_ours_run_without_root_on_a_read_only_disk(name: str) -> None:
    assert OURS[name]["user"] == "10001:10001"
    assert OURS[name]["read_only"] is True
    assert OURS[name]["cap_drop"] == ["ALL"]


def test_optional_parts_are_profiles() -> None:
    optional = {name for name, service in SERVICES.items() if "profiles" in service}
    assert optional == {"rabbitmq", "prometheus", "grafana"}


def test_files_it_mounts_exist() -> None:
    mounts = [
        volume.split(":")[0]
        for service in SERVICES.values()
        for volume in service.get("volumes", [])
        if volume.startswith("./")
    ]
    assert mounts
    assert all((ROOT / mount).is_file() for mount in mounts)


def test_the_script_makes_every_secret_once(tmp_path: Path) -> None:
    (tmp_path / "deploy").mkdir()
    script = shutil.copy(ROOT / "deploy" / "make-secrets", tmp_path / "deploy")
    environment = {"PATH": "/usr/bin:/bin", "NODE_URLS": "https://node.example/key"}
    refused = subprocess.run(
        [script], env={"PATH": "/usr/bin:/bin"}, capture_output=True, check=False
    )
    assert refused.returncode != 0
    subprocess.run([script], env=environment, check=True, capture_output=True)
    secrets = {name: tmp_path / entry["file"] for name, entry in COMPOSE["secrets"].items()}
    before = {name: path.read_text() for name, path in secrets.items()}
    assert len(before["secret_key"]) == 64
    assert before["database_password"] in before["database_url"]
    assert before["database_password"] in before["pgbouncer_users"]
    assert before["owner_password"] in before["database_owner_url"]
    assert before["node_urls"] == environment["NODE_URLS"]
    assert secrets["secret_key"].parent.stat().st_mode & 0o077 == 0
    subprocess.run([script], env=environment, check=True, capture_output=True)
    assert {name: path.read_text() for name, path in secrets.items()} == before


def test_secrets_are_declared_where_they_are_used() -> None:
    for service in SERVICES.values():
        mounted = set(service.get("secrets", []))
        assert mounted <= COMPOSE["secrets"].keys()
        read = {
            value.removeprefix("/run/secrets/")
            for value in service.get("environment", {}).values()
            if str(value).startswith("/run/secrets/")
        }
        assert read <= mounted


def test_pgbouncer_pools_transactions_within_what_postgres_allows() -> None:
    allowed = next(
        int(word.split("=")[1])
        for word in SERVICES["postgres"]["command"]
        if word.startswith("max_connections=")
    )
    room = Room(max_connections=allowed, reserved=3)
    server = Server(host="postgres", port=5432, database="switchyard", room=room)
    users = "/run/secrets/pgbouncer_users"
    place = Place(listen="*", port=6432, auth_file=users, user="switchyard")
    fleet = Fleet(workers=32, web=2, pool=8)
    text = written(server, fleet, fit(fleet, room, Mode.TRANSACTION), place)
    assert (ROOT / "deploy" / "pgbouncer.ini").read_text(encoding="utf-8") == text
