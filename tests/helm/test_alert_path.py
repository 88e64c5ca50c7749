"""From a rule to a person: every alert of the repository, in every environment, through the routing example."""

from __future__ import annotations

import ast
import itertools
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from tocsin import routing, sources
from tocsin.bootstrap.configs import load_config
from tocsin.config.plan import Plan
from tocsin.model import HOUR, MINUTE

from infra.tools import templates
from tests.helm import platform

EXAMPLE = platform.ROOT / "examples" / "tocsin.yml"
# Alerts that nobody is told of because somebody decided so, and what for. All others must reach a person.
DELIBERATE = {
    "Watchdog": "heartbeat: the router pages when it stops",
    "InfoInhibitor": "inhibits: it keeps notices quiet while nothing else is wrong",
}
needs_amtool = pytest.mark.skipif(shutil.which("amtool") is None, reason="amtool is not installed")
needs_promtool = pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")


@cache
def plan() -> Plan:
    return load_config(EXAMPLE).plan


def rules(text: str) -> Iterator[dict[str, str]]:
    """Labels of every alert in a file of rules."""
    for group in yaml.safe_load(text)["groups"]:
        yield from ({"alertname": r["alert"]} | r.get("labels", {}) for r in group["rules"] if "alert" in r)


@cache
def prometheus_alerts(environment: str) -> tuple[dict[str, str], ...]:
    """What the cluster's Prometheus can fire: our rules, the example's, those that the upstream chart brings."""
    external = platform.values(environment, "kube-prometheus-stack")["prometheus"]["prometheusSpec"]["externalLabels"]
    files = [*(platform.INFRA / "charts" / "alert-rules" / "rules").glob("*.yaml"), *EXAMPLE.parent.glob("rules/*.yml")]
    found = [labels for path in sorted(files) for labels in rules(path.read_text())]
    for line in next((platform.INFRA / "upstream").glob("*.alerts")).read_text().splitlines():
        name, _, severity = line.partition(" ")
        found.append({"alertname": name, "namespace": "monitoring"} | ({"severity": severity} if severity else {}))
    application = platform.template("shop", EXAMPLE.parent / "app", {}, "apps")
    (rule,) = [each for each in application if each["kind"] == "PrometheusRule"]
    for labels in rules(yaml.safe_dump(rule["spec"])):
        found += [labels | {"severity": severity} for severity in ("page", "critical", "warning")]
    return tuple(labels | external for labels in found)


def alarms(environment: str) -> Iterator[tuple[str, str]]:
    """Name and description of the alarms that AWS can raise: the platform's and the router's own."""
    router = templates.load(platform.ROOT / "template.yaml")["Resources"]
    found = {name: each["Properties"] for name, each in router.items() if each["Type"] == "AWS::CloudWatch::Alarm"}
    for path, each in platform.services(environment).resources.items():
        if each["Type"] == "AWS::CloudWatch::Alarm":
            found[path] = each["Properties"]
    for name, properties in found.items():
        description = properties.get("AlarmDescription", "")
        yield str(properties.get("AlarmName", name)), description if isinstance(description, str) else ""


def alarm_alerts(environment: str) -> Iterator[dict[str, str]]:
    """The labels that the router reads from an alarm's event."""
    sample = json.loads((platform.ROOT / "events" / "payloads" / "cloudwatch" / "metric-alarm.json").read_text())
    source = sources.source("eventbridge")
    for name, description in alarms(environment):
        sample["detail"]["alarmName"] = name
        sample["detail"]["configuration"]["description"] = description
        (observation,) = source.parse(json.dumps(sample).encode(), {}, 0)
        yield dict(observation.labels)


def told(labels: dict[str, str], through: Plan) -> set[str]:
    """The receivers with somebody behind them that an alert reaches."""
    return {
        route.receiver
        for route in routing.match(through.route, labels)
        if any(integration.channel for integration in through.receivers[route.receiver].integrations)
    }


def lost(environment: str, through: Plan) -> list[str]:
    """Alerts that reach nobody, though nobody decided so."""
    every = itertools.chain(prometheus_alerts(environment), alarm_alerts(environment))
    return sorted(
        {each["alertname"] for each in every if not told(each, through) and each["alertname"] not in DELIBERATE}
    )


@pytest.mark.helm
@pytest.mark.parametrize("environment", platform.ENVIRONMENTS)
def test_no_alert_of_the_repository_ends_in_nothing(environment: str) -> None:
    assert lost(environment, plan()) == []
    names = {each["alertname"] for each in prometheus_alerts(environment)}
    assert len(names) > 130, "the walk must have something to walk through"
    assert {"NodeNotReady", "PagerDutyDrill", "HighErrorRate", "KubePodCrashLooping"} < names


@pytest.mark.helm
def test_an_alert_that_ends_in_nothing_would_be_seen(tmp_path: Path) -> None:
    shutil.copytree(EXAMPLE.parent / "templates", tmp_path / "templates")
    shutil.copy(EXAMPLE, tmp_path)
    text = (EXAMPLE.parent / "alertmanager.yml").read_text()
    route = '  - receiver: "null"\n    matchers: [alertname="Watchdog"]\n'
    assert route in text
    broken = text.replace(route, route + '  - receiver: "null"\n    matchers: [service="eks", environment="staging"]\n')
    (tmp_path / "alertmanager.yml").write_text(broken)
    through = load_config(tmp_path / "tocsin.yml").plan
    assert "platform-staging-api-server-errors" in lost("staging", through)
    assert lost("production", through) == []


@pytest.mark.helm
@pytest.mark.parametrize("environment", platform.ENVIRONMENTS)
def test_what_is_deliberately_silent_is_what_the_list_says(environment: str) -> None:
    silent = {each["alertname"] for each in prometheus_alerts(environment) if not told(each, plan())}
    assert silent == set(DELIBERATE), "an entry that is not needed any more is a hole"


@pytest.mark.helm
@pytest.mark.parametrize("environment", platform.ENVIRONMENTS)
def test_every_page_reaches_the_pager(environment: str) -> None:
    pages = [each for each in prometheus_alerts(environment) if each.get("severity") == "page"]
    assert len({each["alertname"] for each in pages}) >= 5
    for each in pages:
        assert "pagerduty-platform" in told(each, plan()), each["alertname"]


@pytest.mark.helm
@pytest.mark.parametrize("environment", platform.ENVIRONMENTS)
def test_the_watchdog_comes_oftener_than_the_heartbeat_asks_for_it(environment: str) -> None:
    watchdog = next(each for each in prometheus_alerts(environment) if each["alertname"] == "Watchdog")
    (heartbeat,) = [h for h in plan().heartbeats if all(m.matches(watchdog) for m in h.matchers)]
    (route,) = alertmanager(environment)["route"]["routes"]
    assert route["matchers"] == ['alertname = "Watchdog"']
    assert route["repeat_interval"] == "1m"
    assert heartbeat.interval > 2 * MINUTE, "two lost beats are no page"


@pytest.mark.helm
@pytest.mark.parametrize("environment", platform.ENVIRONMENTS)
def test_alarms_say_where_they_come_from_and_how_bad_it_is(environment: str) -> None:
    own = {name for name, _ in alarms(environment) if name.startswith("platform-")}
    assert len(own) >= 7
    for labels in alarm_alerts(environment):
        if labels["alertname"] in own:
            assert labels["environment"] == environment
            assert labels["severity"] in {"page", "critical", "warning"}
            assert labels["service"] in {"eks", "network", "platform"}


# ---- Alertmanager ----------------------------------------------------------------------------------------------------


def alertmanager(environment: str) -> dict[str, Any]:
    return platform.values(environment, "kube-prometheus-stack")["alertmanager"]["config"]


@pytest.mark.helm
@pytest.mark.parametrize("environment", platform.ENVIRONMENTS)
def test_alertmanager_passes_on_at_once_and_decides_nothing(environment: str) -> None:
    config = alertmanager(environment)
    assert config["inhibit_rules"] == []
    assert [receiver["name"] for receiver in config["receivers"]] == ["tocsin"], "there is no null to end in"
    for route in (config["route"], *config["route"]["routes"]):
        assert (route["receiver"], route["group_by"], route["group_wait"]) == ("tocsin", ["..."], "0s")
        assert not {"mute_time_intervals", "active_time_intervals", "continue"} & set(route)
    (webhook,) = config["receivers"][0]["webhook_configs"]
    url = platform.parameters(environment, "cluster-services")["TocsinUrl"]
    assert webhook["url"] == f"{url}/webhooks/alertmanager"
    assert webhook["send_resolved"] is True
    assert plan().sources["alertmanager"].kind in sources.REGISTRY
    assert plan().stale_after > 4 * HOUR, "what Alertmanager repeats every four hours must not be stale before"


@pytest.mark.helm
@pytest.mark.parametrize("environment", platform.ENVIRONMENTS)
def test_the_webhooks_token_comes_from_an_external_secret(environment: str) -> None:
    stack = platform.values(environment, "kube-prometheus-stack")["alertmanager"]
    authorization = stack["config"]["receivers"][0]["webhook_configs"][0]["http_config"]["authorization"]
    mounted, key = authorization["credentials_file"].removeprefix("/etc/alertmanager/secrets/").split("/")
    assert (authorization["type"], key) == ("Bearer", "token")
    assert stack["alertmanagerSpec"]["secrets"] == [mounted]
    wanted = platform.values(environment, "secret-store")["externalSecrets"]
    assert [s["namespace"] for s in wanted if s["name"] == mounted] == ["monitoring"]


@pytest.mark.helm
@pytest.mark.oracle
@needs_amtool
@pytest.mark.parametrize("environment", platform.ENVIRONMENTS)
def test_alertmanager_itself_takes_the_config(environment: str, tmp_path: Path) -> None:
    file = tmp_path / "alertmanager.yml"
    file.write_text(yaml.safe_dump(alertmanager(environment)))
    checked = subprocess.run(["amtool", "check-config", file], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    shown = subprocess.run(
        ["amtool", "config", "routes", "test", "--config.file", file, "alertname=Watchdog"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert shown.stdout.strip() == "tocsin"


# ---- EventBridge -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("environment", platform.ENVIRONMENTS)
def test_alarms_go_to_the_routers_bus_in_its_own_account_and_region(environment: str) -> None:
    resources = platform.services(environment).resources
    rule = resources["Alarms/AlarmsToRouter"]["Properties"]
    (target,) = rule["Targets"]
    assert target["Arn"] == f"arn:aws:events:eu-west-2:444444444444:event-bus/tocsin-{environment}"
    role = resources["Alarms/AlarmsToRouterRole"]["Properties"]["Policies"][0]["PolicyDocument"]["Statement"][0]
    assert role["Resource"] == target["Arn"]
    assert target["DeadLetterConfig"], "an alarm that cannot be delivered is kept"
    sample = json.loads((platform.ROOT / "events" / "payloads" / "cloudwatch" / "metric-alarm.json").read_text())
    assert sample["source"] in rule["EventPattern"]["source"]
    assert sample["detail-type"] in rule["EventPattern"]["detail-type"]


@pytest.mark.parametrize(
    ("changed", "forwards"),
    [
        ({"RouterAccountId": "111111111111", "RouterRegion": "eu-west-1"}, False),
        ({"RouterAccountId": "111111111111", "RouterRegion": "eu-west-2"}, True),
        ({"RouterAccountId": "222222222222", "RouterRegion": "eu-west-1"}, True),
    ],
    ids=["the router is here: its own rule hears them", "another region", "another account"],
)
def test_alarms_are_forwarded_only_where_the_router_does_not_hear_them_itself(
    changed: dict[str, str], forwards: bool
) -> None:
    found = platform.services("staging", **changed).resources
    assert ("Alarms/AlarmsToRouter" in found) is forwards
    assert ("Alarms/AlarmsUndelivered" in found) is forwards


# ---- Grafana ---------------------------------------------------------------------------------------------------------


@pytest.mark.helm
@pytest.mark.parametrize(("reads", "names"), [("false", {"CloudWatch", "Tocsin metrics"}), ("true", {"Tocsin"})])
def test_tocsin_is_a_data_source_only_when_the_parameter_says_so(reads: str, names: set[str]) -> None:
    wanted = platform.values("production", "dashboards")
    wanted = wanted | {"router": wanted["router"] | {"alertmanagerDataSource": reads == "true"}}
    made = platform.template("dashboards", platform.INFRA / "charts" / "dashboards", wanted, "monitoring")
    texts = [t for e in made if "grafana_datasource" in e["metadata"]["labels"] for t in e["data"].values()]
    found = {source["name"]: source for text in texts for source in yaml.safe_load(text)["datasources"]}
    assert names <= set(found)
    assert ("Tocsin" in found) is (reads == "true")
    assert found["Tocsin metrics"]["jsonData"]["defaultRegion"] == "eu-west-2", "the router's region"
    assert found["CloudWatch"]["jsonData"]["defaultRegion"] == "eu-west-1", "the cluster's region"
    if "Tocsin" in found:
        assert found["Tocsin"]["secureJsonData"] == {"httpHeaderValue1": "Bearer $TOCSIN_API_TOKEN"}


@pytest.mark.helm
def test_the_parameter_reaches_the_chart_and_the_secret() -> None:
    found = platform.services("staging", GrafanaReadsTocsin="true").resources
    secrets = json.loads(found["Releases/SecretStore"]["Properties"]["Values"])["externalSecrets"]
    assert [each["enabled"] for each in secrets if each["name"] == "tocsin-api"] == [True]
    facts = json.loads(found["Releases/Bootstrap"]["Properties"]["Values"])["facts"]
    assert facts["GrafanaReadsTocsin"] is True


DASHBOARDS = sorted((platform.INFRA / "charts" / "dashboards" / "dashboards").glob("*.json"))


def panels(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    for panel in json.loads(path.read_text())["panels"]:
        yield from ((panel["title"], target) for target in panel["targets"])


def counted() -> dict[str, set[frozenset[str]]]:
    """Every metric that the router counts, and the labels it counts it by."""
    found: dict[str, set[frozenset[str]]] = {}
    for path in (platform.ROOT / "layers" / "tocsin" / "tocsin").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "count"):
                continue
            if node.args and isinstance(node.args[0], ast.Constant) and isinstance(node.args[0].value, str):
                labels = frozenset(str(keyword.arg) for keyword in node.keywords)
                found.setdefault(node.args[0].value, set()).add(labels)
    return found


def test_the_routers_dashboard_shows_metrics_that_it_counts_by_the_labels_it_has() -> None:
    metrics = counted()
    shown = set()
    for title, target in panels(platform.INFRA / "charts" / "dashboards" / "dashboards" / "router.json"):
        found = re.match(r"SEARCH\('\{Tocsin,([\w,]+)\} MetricName=\"(\w+)\"', 'Sum', 60\)", target["expression"])
        if found is None:
            assert "AWS/SQS" in target["expression"], title
            continue
        labels = frozenset(found[1].split(",")) - {"service"}
        assert labels in metrics[found[2]], f"{title}: {found[2]} is counted by {metrics[found[2]]}"
        shown.add(found[2])
    assert {"received", "alerts", "flushes", "deliveries", "given_up", "heartbeats_missing", "quarantined"} <= shown


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_a_dashboard_has_its_own_uid_and_panels_that_do_not_overlap(path: Path) -> None:
    board = json.loads(path.read_text())
    uids = [json.loads(other.read_text())["uid"] for other in DASHBOARDS]
    assert len(set(uids)) == len(uids)
    cells = [
        (x, y)
        for panel in board["panels"]
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    ]
    assert len(set(cells)) == len(cells)
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])


@needs_promtool
def test_prometheus_understands_every_query_of_the_platforms_dashboard(tmp_path: Path) -> None:
    board = platform.INFRA / "charts" / "dashboards" / "dashboards" / "platform.json"
    recorded = [{"record": f"q:{n}", "expr": target["expr"]} for n, (_, target) in enumerate(panels(board))]
    file = tmp_path / "rules.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "queries", "rules": recorded}]}))
    checked = subprocess.run(["promtool", "check", "rules", file], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr


# ---- the rules -------------------------------------------------------------------------------------------------------

RULES = platform.INFRA / "charts" / "alert-rules"


@needs_promtool
@pytest.mark.oracle
def test_promtool_proves_the_rules() -> None:
    files = sorted(map(str, (RULES / "tests").glob("*.yaml")))
    tested = subprocess.run(["promtool", "test", "rules", *files], capture_output=True, text=True, check=False)
    assert tested.returncode == 0, tested.stdout + tested.stderr


def test_every_alert_has_a_test_that_sees_it_fire() -> None:
    fired = {
        case["alertname"]
        for path in (RULES / "tests").glob("*.yaml")
        for group in yaml.safe_load(path.read_text())["tests"]
        for case in group["alert_rule_test"]
        if case["exp_alerts"]
    }
    written = {each["alertname"] for path in (RULES / "rules").glob("*.yaml") for each in rules(path.read_text())}
    assert written == fired


def test_every_alert_says_how_bad_it_is_and_what_to_do() -> None:
    for path in (RULES / "rules").glob("*.yaml"):
        for group in yaml.safe_load(path.read_text())["groups"]:
            for rule in group["rules"]:
                assert rule["labels"]["severity"] in {"page", "critical", "warning", "none"}, rule["alert"]
                assert {"summary", "description"} <= set(rule["annotations"]), rule["alert"]


@pytest.mark.helm
@pytest.mark.parametrize("environment", platform.ENVIRONMENTS)
def test_the_chart_carries_the_rules_unchanged(environment: str) -> None:
    """Prometheus' own templates must come through helm's."""
    wanted = platform.values(environment, "alert-rules")
    made = platform.template("alert-rules", RULES, wanted, "monitoring")
    carried = {each["metadata"]["name"]: each["spec"] for each in made}
    assert carried == {path.stem: yaml.safe_load(path.read_text()) for path in (RULES / "rules").glob("*.yaml")}
