"""Rules and dashboard as they are shipped: promtool has nothing against them, and what they name is
told by /metrics.
"""

import json
import subprocess
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.core.management import CommandError, call_command

from monitoring.alerts.catalogue import RULES
from monitoring.alerts.rules_file import alert_name, document
from tests.prometheus.names import known, named
from tests.services import ROOT

SHIPPED = ROOT / "deploy/prometheus"
DASHBOARD = ROOT / "deploy/grafana/switchyard.json"


def promtool_says(promtool: str, *arguments: str) -> str:
    said = subprocess.run(
        [promtool, *arguments], check=False, capture_output=True, text=True, timeout=60, cwd=SHIPPED
    )
    assert said.returncode == 0, said.stdout + said.stderr
    return said.stdout


def expressions() -> dict[str, str]:
    """Those of the dashboard, by panel and place."""
    panels = json.loads(DASHBOARD.read_text())["panels"]
    return {
        f"{panel['title']} {target['refId']}": target["expr"]
        for panel in panels
        for target in panel.get("targets", ())
    }


def test_the_rules_that_are_shipped_are_the_catalogue_s() -> None:
    said = "write it anew: manage.py prometheus_rules --output deploy/prometheus/rules.yml"
    assert (SHIPPED / "rules.yml").read_text() == document(RULES.values()), said


def test_promtool_takes_rules_and_configuration(promtool: str) -> None:
    assert "rules found" in promtool_says(promtool, "check", "rules", "rules.yml")
    promtool_says(promtool, "check", "config", "--syntax-only", "prometheus.yml")


def test_the_rules_fire_and_clear_as_they_say(promtool: str) -> None:
    assert "SUCCESS" in promtool_says(promtool, "test", "rules", "rules_test.yml")


def test_every_threshold_that_prometheus_can_judge_is_a_rule() -> None:
    groups = yaml.safe_load((SHIPPED / "rules.yml").read_text())["groups"]
    alerts = [rule for group in groups for rule in group["rules"] if "alert" in rule]
    shipped = {(rule["alert"], rule["labels"]["severity"]): rule for rule in alerts}
    assert len(shipped) == len(alerts)
    wanted = {}
    for rule in RULES.values():
        for severity, limit in (("warning", rule.warning), ("critical", rule.critical)):
            if rule.expr and limit is not None:
                wanted[alert_name(rule), severity] = (rule, limit)
    assert shipped.keys() == wanted.keys()
    for key, (rule, limit) in wanted.items():
        sign = ">=" if rule.breach == "above" else "<="
        assert shipped[key]["expr"].endswith(f") {sign} {limit:g}")
        assert shipped[key]["for"] == f"{rule.hold_s:.0f}s"
        assert shipped[key]["labels"]["rule"] == rule.key


def test_rules_name_metrics_that_there_are() -> None:
    groups = yaml.safe_load((SHIPPED / "rules.yml").read_text())["groups"]
    for rule in (rule for group in groups for rule in group["rules"]):
        assert named(rule["expr"]) <= known(), rule


def test_the_dashboard_asks_for_what_there_is(promtool: str, tmp_path: Path) -> None:
    found = expressions()
    assert len(found) > 30
    for place, expression in found.items():
        assert named(expression) <= known(), place
    rules: list[dict[str, Any]] = [
        {"record": f"panel:{n}", "expr": expression} for n, expression in enumerate(found.values())
    ]
    path = tmp_path / "panels.yml"
    path.write_text(json.dumps({"groups": [{"name": "panels", "rules": rules}]}))
    assert f"{len(rules)} rules found" in promtool_says(promtool, "check", "rules", str(path))


def test_the_dashboard_has_no_two_panels_of_one_number_and_no_source_of_its_own() -> None:
    board = json.loads(DASHBOARD.read_text())
    numbers = [panel["id"] for panel in board["panels"]]
    assert len(set(numbers)) == len(numbers)
    drawn = [panel for panel in board["panels"] if panel["type"] != "row"]
    assert {panel["datasource"]["uid"] for panel in drawn} == {"${source}"}
    assert all(panel["fieldConfig"]["defaults"]["unit"] for panel in drawn)


def test_the_command_writes_and_refuses(tmp_path: Path) -> None:
    told = StringIO()
    call_command("prometheus_rules", stdout=told)
    assert told.getvalue() == document(RULES.values())
    path = tmp_path / "rules.yml"
    call_command("prometheus_rules", output=path, stdout=told)
    assert path.read_text() == document(RULES.values())
    with pytest.raises(CommandError, match="No such file"):
        call_command("prometheus_rules", output=tmp_path / "nowhere" / "rules.yml")
