"""Alarms of a cluster in another account and region: by its own stack's rule to our bus, and from there to a vendor."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import boto3
import pytest

from infra.tools import resolve
from tests.aws import senders
from tests.aws.cloud import ACCOUNT, PARAMETERS, STACK
from tests.aws.conftest import World
from tests.aws.resolver import Resolver
from tests.aws.template import REGION, ROOT, of_type, read, transformed

CLUSTER_ACCOUNT, CLUSTER_REGION = "210987654321", "eu-west-2"
LAYERS, PARAMETER_SETS = ROOT / "infra", ROOT / "infra" / "parameters" / "integration"
CLUSTERS = PARAMETERS | {"ClusterAccounts": f"{CLUSTER_ACCOUNT},310987654321", "GrafanaAccounts": CLUSTER_ACCOUNT}
Resources = Mapping[str, Mapping[str, Any]]


def layer(name: str, imports: Mapping[str, Any] | None = None, **changed: str) -> resolve.Resolved:
    given = json.loads((PARAMETER_SETS / f"{name}.json").read_text("utf-8")) | changed
    return resolve.resolve(LAYERS / name / "template.yaml", given, account=CLUSTER_ACCOUNT, imports=imports)


def services() -> Resources:
    """What the cluster's third layer asks for when the router's account and region are ours."""
    below = layer("cluster-infrastructure")
    found = layer(
        "cluster-services", below.exports, RouterAccountId=ACCOUNT, RouterRegion=REGION, RouterBusName="tocsin"
    ).resources
    return {path: resource["Properties"] for path, resource in found.items() if path.startswith("Alarms/")}


def in_the_clusters_account(world: World) -> Any:
    """EventBridge as the cluster's account sees it."""
    role = f"arn:aws:iam::{CLUSTER_ACCOUNT}:role/any"
    session = world.cloud.client("sts").assume_role(RoleArn=role, RoleSessionName="test")["Credentials"]
    return boto3.client(
        "events", region_name=CLUSTER_REGION, endpoint_url=world.cloud.endpoint,
        aws_access_key_id=session["AccessKeyId"], aws_secret_access_key=session["SecretAccessKey"],
        aws_session_token=session["SessionToken"],
    )  # fmt: skip


def forward(events: Any, rule: Mapping[str, Any]) -> None:
    """Make the rule; moto knows neither roles nor dead letters of a target."""
    events.put_rule(Name="alarms", EventPattern=json.dumps(rule["EventPattern"]))
    events.put_targets(Rule="alarms", Targets=[{key: each[key] for key in ("Id", "Arn")} for each in rule["Targets"]])


def raised(alarm: Mapping[str, Any]) -> dict[str, Any]:
    """The event of an alarm that goes off."""
    event = json.loads((senders.PAYLOADS / "cloudwatch" / "metric-alarm.json").read_text("utf-8"))
    event["detail"]["alarmName"] = alarm["AlarmName"]
    event["detail"]["configuration"]["description"] = alarm["AlarmDescription"]
    return {
        "Source": event["source"], "DetailType": event["detail-type"], "Detail": json.dumps(event["detail"]),
    }  # fmt: skip


def test_every_alarm_of_the_cluster_reaches_the_pager(configured: World) -> None:
    resources = services()
    events = in_the_clusters_account(configured)
    forward(events, resources["Alarms/AlarmsToRouter"])
    alarms = [each for path, each in resources.items() if "AlarmName" in each]
    assert {each["Namespace"] for each in alarms if "Namespace" in each} >= {"AWS/EKS", "AWS/Events", "AWS/Lambda"}
    assert [each for each in alarms if "NATGateway" in json.dumps(each.get("Metrics", ""))], "NAT gateways, by a query"

    answer = events.put_events(Entries=[raised(each) for each in alarms])
    assert answer["FailedEntryCount"] == 0
    configured.lambdas.run(configured.clock, timedelta(minutes=1))

    paged = {incident.summary for incident in configured.vendors.pagerduty.incidents}
    for each in alarms:
        assert any(each["AlarmName"] in summary for summary in paged), each["AlarmName"]
    assert len(paged) == len(alarms), "and nothing twice"


def test_what_the_clusters_account_does_not_send_on_stays_there(configured: World) -> None:
    events = in_the_clusters_account(configured)
    forward(events, services()["Alarms/AlarmsToRouter"])
    events.put_events(Entries=[{"Source": "aws.ec2", "DetailType": "EC2 Instance State-change", "Detail": "{}"}])
    configured.lambdas.run(configured.clock, timedelta(minutes=1))
    assert not configured.vendors.pagerduty.incidents


def resolved(parameters: Mapping[str, str]) -> Resources:
    """Our own template's resources for the parameters, those left out whose condition does not hold."""
    template = transformed(parameters)
    resolver = Resolver(template, parameters, region=REGION, account=ACCOUNT, stack=STACK)
    for name, bus in of_type(template, "AWS::Events::EventBus"):
        resolver.physical[name] = resolver.resolve(bus["Properties"]["Name"])
    found = {name: template["Resources"][name] for name in ("BusPolicy", "MetricsRole")}
    return {name: resolver.resolve(s["Properties"]) for name, s in found.items() if resolver.holds(s["Condition"])}


def test_the_bus_takes_events_of_the_clusters_accounts_and_of_no_other() -> None:
    policy = resolved(CLUSTERS)["BusPolicy"]
    target = services()["Alarms/AlarmsToRouter"]["Targets"][0]["Arn"]
    assert policy["EventBusName"] == target.rpartition("/")[2]
    statement = policy["Statement"]
    assert (statement["Effect"], statement["Action"], statement["Resource"]) == ("Allow", "events:PutEvents", target)
    assert statement["Principal"] == {"AWS": [CLUSTER_ACCOUNT, "310987654321"]}


def test_without_clusters_nobody_outside_may_do_anything() -> None:
    assert resolved(PARAMETERS) == {}


def test_the_metrics_role_is_what_grafana_of_the_cluster_takes() -> None:
    role = resolved(CLUSTERS)["MetricsRole"]
    (trust,) = role["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Principal"] == {"AWS": [CLUSTER_ACCOUNT]}
    arn = f"arn:aws:iam::{ACCOUNT}:role/metrics"
    grafana = layer("cluster-infrastructure", RouterMetricsRoleArn=arn).resources["Identities/GrafanaRole"][
        "Properties"
    ]
    asked = [s for s in grafana["Policies"][0]["PolicyDocument"]["Statement"] if s["Resource"] == arn]
    assert [statement["Action"] for statement in asked] == [trust["Action"]], "what one side asks the other allows"
    # EKS puts the pod's names on the session as tags, and its own trust names the same pod.
    own = grafana["AssumeRolePolicyDocument"]["Statement"][0]["Condition"]["StringEquals"]
    assert trust["Condition"]["StringEquals"] == {
        f"aws:PrincipalTag/{tag}": own[f"aws:RequestTag/{tag}"]
        for tag in ("kubernetes-namespace", "kubernetes-service-account")
    }
    (granted,) = role["Policies"][0]["PolicyDocument"]["Statement"]
    assert granted["Action"] == ["cloudwatch:GetMetricData", "cloudwatch:ListMetrics"]


@pytest.mark.parametrize("value", ["*", "12345678901", "arn:aws:iam::210987654321:root"])
def test_only_account_numbers_are_taken(value: str) -> None:
    given = PARAMETERS | {"ClusterAccounts": value}
    with pytest.raises(resolve.ResolveError, match="ClusterAccounts"):
        resolve.resolve(ROOT / "template.yaml", given)


def test_the_role_is_told_only_where_there_is_one() -> None:
    assert read()["Outputs"]["MetricsRoleArn"]["Condition"] == read()["Resources"]["MetricsRole"]["Condition"]
