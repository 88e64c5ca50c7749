"""Real helm and kubectl against a pretended API server: what becomes of a release, whatever happens on the way."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest
from helm_release.deadline import Reserves

from tests.helm.conftest import CLUSTER, Function

pytestmark = pytest.mark.helm

DEPLOYMENTS = "deployments"
HANG = {"greeting": "never-ready"}
# Of a minute: SIGTERM to a program after 6 s, with 40 s for rolling back; and SIGTERM and SIGKILL at once.
TERMINATED = Reserves(helm=1, terminate=54, kill=20)
KILLED = Reserves(helm=1, terminate=54, kill=60)


def test_create_update_unchanged_and_delete_are_one_life(function: Function) -> None:
    created = function("Create", {"greeting": "hello"})
    assert (created["Status"], created["PhysicalResourceId"]) == ("SUCCESS", f"{CLUSTER}/apps/greeter")
    assert created["Data"] == {"Outcome": "installed", "Revision": "1", "Recovered": ""}
    assert function.config() == {"greeting": "hello"}

    updated = function("Update", {"greeting": "good day", "replicas": 2})
    assert updated["Data"]["Outcome"] == "upgraded"
    assert function.config() == {"greeting": "good day"}
    deployment = function.cluster.named(DEPLOYMENTS, "apps", "greeter", "apps/v1")
    assert deployment["spec"]["replicas"] == 2

    function.cluster.requests.clear()
    unchanged = function("Update", {"replicas": 2, "greeting": "good day"}, Timeout="21")
    assert unchanged["Data"] == {"Outcome": "unchanged", "Revision": "2", "Recovered": ""}
    assert function.cluster.writes() == [], "an update that changes nothing must write nothing"

    deleted = function("Delete", {"greeting": "good day"})
    assert (deleted["Status"], deleted["Data"]["Outcome"]) == ("SUCCESS", "uninstalled")
    left = {(plural, name) for _, plural, namespace, name in function.cluster.store.objects if namespace == "apps"}
    assert left == set(), "nothing of the release may stay behind"


def test_the_charts_crds_are_there_before_its_objects_and_are_kept_up_to_date(function: Function) -> None:
    """Helm installs ``crds/`` once and never upgrades it: kubectl does both."""
    function("Create")
    paths = [path for method, path in function.cluster.requests if method in {"POST", "PATCH"}]
    first_crd = next(n for n, path in enumerate(paths) if "customresourcedefinitions" in path)
    first_object = next(n for n, path in enumerate(paths) if path.startswith("/api/v1/namespaces/apps/"))
    assert first_crd < first_object
    key = ("apiextensions.k8s.io/v1", "customresourcedefinitions", "", "greetings.example.com")
    stale = function.cluster.store.get(key)
    stale["spec"]["names"]["singular"] = "stale"
    function.cluster.store.put(key, stale)
    function("Update", {"greeting": "again"})
    assert function.cluster.store.get(key)["spec"]["names"]["singular"] == "greeting"


def test_an_upgrade_that_does_not_become_ready_is_rolled_back(function: Function) -> None:
    function("Create", {"greeting": "hello"})
    function.cluster.store.hanging.add("never-ready")
    failed = function("Update", HANG, Timeout="2")
    assert failed["Status"] == "FAILED"
    assert failed["PhysicalResourceId"] == f"{CLUSTER}/apps/greeter", "another id would have CloudFormation delete it"
    assert "Deployment/apps/greeter not ready" in failed["Reason"]
    assert "rolled back" in failed["Reason"]
    assert function.config() == {"greeting": "hello"}
    assert function.revisions()[-1][1] == "deployed"

    back = function("Update", {"greeting": "hello"})
    assert back["Status"] == "SUCCESS", "CloudFormation's own rollback must find a release it can work on"


def test_an_installation_that_does_not_become_ready_leaves_nothing(function: Function) -> None:
    function.cluster.store.hanging.add("never-ready")
    failed = function("Create", HANG, Timeout="2")
    assert (failed["Status"], failed["PhysicalResourceId"]) == ("FAILED", f"{CLUSTER}/apps/greeter")
    assert function.revisions() == []
    deleted = function("Delete", HANG)
    assert (deleted["Status"], deleted["Data"]["Outcome"]) == ("SUCCESS", "absent")


def test_sigterm_near_the_end_of_the_invocation_rolls_back_cleanly(function: Function) -> None:
    function("Create", {"greeting": "hello"})
    function.cluster.store.hanging.add("never-ready")
    failed = function("Update", HANG, Timeout="50", seconds=60, reserves=TERMINATED)
    assert failed["Status"] == "FAILED"
    assert "about to end" in failed["Reason"]
    assert function.revisions()[-1][1] == "deployed", "rolled back, nothing pending"
    assert function.config() == {"greeting": "hello"}


@pytest.mark.parametrize(
    ("before", "pending", "recovered"),
    [
        (False, "pending-install", "pending-install: uninstalled"),
        (True, "pending-upgrade", "pending-upgrade: rolled back to revision 1"),
    ],
    ids=["a first installation that was killed is removed", "an upgrade that was killed is rolled back"],
)
def test_killed_in_the_middle_and_recovered_by_the_next_run(
    function: Function, before: bool, pending: str, recovered: str
) -> None:
    if before:
        function("Create", {"greeting": "hello"})
    function.cluster.store.hanging.add("never-ready")
    kind = "Update" if before else "Create"
    failed = function(kind, HANG, Timeout="50", seconds=60, reserves=KILLED)
    assert failed["Status"] == "FAILED"
    assert "the next run recovers it" in failed["Reason"]
    assert function.revisions()[-1][1] == pending, "helm refuses to work on this"

    again = function(kind, {"greeting": "after the kill"})
    assert (again["Status"], again["Data"]["Recovered"]) == ("SUCCESS", recovered)
    assert function.config() == {"greeting": "after the kill"}


def test_a_rolling_back_that_was_killed_is_rolled_back_by_the_next_run(function: Function) -> None:
    """The release before does not become ready either: a node is gone, an image was deleted."""
    function("Create", {"greeting": "hello"})
    function.cluster.store.hanging |= {"never-ready", "hello"}
    slow = Reserves(helm=1, terminate=54, kill=54)
    failed = function("Update", HANG, Timeout="50", seconds=60, reserves=slow)
    assert failed["Status"] == "FAILED"
    assert function.revisions()[-1][1] == "pending-rollback"

    again = function("Update", {"greeting": "after the kill"})
    assert again["Status"] == "SUCCESS"
    assert again["Data"]["Recovered"].startswith("pending-rollback: rolled back to revision")
    assert function.config() == {"greeting": "after the kill"}


def test_a_removal_that_was_killed_is_finished_before_the_next_installation(function: Function) -> None:
    function("Create", {"greeting": "hello"})
    function.cluster.store.stuck.add("greeter")
    failed = function("Delete", seconds=60, reserves=KILLED)
    assert failed["Status"] == "FAILED"
    assert function.revisions()[-1][1] == "uninstalling"
    function.cluster.store.stuck.clear()

    again = function("Create", {"greeting": "anew"})
    assert (again["Status"], again["Data"]["Recovered"]) == ("SUCCESS", "uninstalling: uninstalled")
    assert function.config() == {"greeting": "anew"}


def test_a_killed_installation_can_be_deleted(function: Function) -> None:
    """CloudFormation deletes what it could not create."""
    function.cluster.store.hanging.add("never-ready")
    function("Create", HANG, Timeout="50", seconds=60, reserves=KILLED)
    deleted = function("Delete", HANG)
    assert (deleted["Status"], deleted["Data"]["Outcome"]) == ("SUCCESS", "uninstalled")
    assert function.revisions() == []


def test_what_cannot_finish_in_one_invocation_is_refused_untouched(function: Function) -> None:
    refused = function("Create", Timeout="1200", seconds=900)
    assert refused["Status"] == "FAILED"
    assert "asks for 1200 s, but this invocation has 8" in refused["Reason"]
    assert "let Argo CD carry the release" in refused["Reason"]
    assert function.cluster.requests == []
    gone = function("Delete")
    assert gone["Status"] == "SUCCESS", "what was refused is nothing to delete"
    assert function.cluster.requests == []


def test_delete_with_the_release_gone_succeeds(function: Function) -> None:
    assert function("Delete")["Data"]["Outcome"] == "absent"


def test_delete_with_the_cluster_gone_succeeds(function: Function) -> None:
    function("Create")
    function.aws.clusters.clear()
    deleted = function("Delete")
    assert (deleted["Status"], deleted["Data"]["Outcome"]) == ("SUCCESS", "absent")


def test_delete_fails_loudly_when_the_cluster_is_there_but_does_not_answer(function: Function) -> None:
    function("Create")
    function.aws.clusters[CLUSTER]["endpoint"] = "https://127.0.0.1:1"
    failed = function("Delete")
    assert failed["Status"] == "FAILED"
    assert "helm status" in failed["Reason"]


def test_delete_fails_loudly_when_an_object_does_not_go(function: Function) -> None:
    """An Ingress whose load balancer stays would block the deletion of the network."""
    function("Create")
    function.cluster.store.stuck.add("greeter")
    failed = function("Delete", seconds=93)
    assert failed["Status"] == "FAILED"
    assert "helm uninstall" in failed["Reason"]
    function.cluster.store.stuck.clear()
    assert function("Delete")["Status"] == "SUCCESS"


def test_a_release_that_another_made_is_not_taken_over(function: Function) -> None:
    """Else the deletion that follows a failed creation would remove somebody else's release."""
    function("Create", {"greeting": "theirs"})
    refused = function("Create", {"greeting": "ours"}, stack="arn:aws:cloudformation:eu-west-1:1:stack/other/9999")
    assert refused["Status"] == "FAILED"
    assert "exists already and this stack did not make it" in refused["Reason"]
    function("Delete", stack="arn:aws:cloudformation:eu-west-1:1:stack/other/9999")
    assert function.config() == {"greeting": "theirs"}


def test_the_same_event_twice_installs_once(function: Function) -> None:
    """Lambda delivers at least once."""
    function("Create", {"greeting": "hello"})
    again = function("Create", {"greeting": "hello"})
    assert again["Data"]["Outcome"] == "unchanged"
    assert function.revisions() == [("1", "deployed")]


def test_a_move_makes_the_new_one_and_deletes_the_old_by_its_id(function: Function) -> None:
    function("Create")
    moved = function("Update", Release="greeter-two")
    assert moved["PhysicalResourceId"] == f"{CLUSTER}/apps/greeter-two"
    function.placed["Greeter"] = f"{CLUSTER}/apps/greeter"
    function("Delete")
    names = {name for _, plural, _, name in function.cluster.store.objects if plural == "configmaps"}
    assert names == {"greeter-two"}


def test_no_secret_reaches_log_answer_or_disk(
    function: Function, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    caplog.set_level(logging.DEBUG)
    secret = "correct horse battery staple"
    values = {"password": secret, "refuse": secret}
    failed = function("Create", values)
    assert failed["Status"] == "FAILED"
    assert "refused because of [redacted]" in failed["Reason"], (
        "the chart quotes the value; the sentence stays readable"
    )
    function("Create", {"password": secret})
    function("Update", {"password": secret, "replicas": "not a number"}, Timeout="1")
    function("Delete")
    told = caplog.text + b"".join(function.aws.answers).decode()
    assert "Greeter" in told
    for hidden in (secret, "k8s-aws-v1", "the-secret-access-key", "signature-of-the-address"):
        assert hidden not in told
    assert any(token.startswith("k8s-aws-v1.") for token in function.cluster.tokens), "the token was really used"
    assert list((tmp_path / "scratch").iterdir()) == [], "values and kubeconfig are removed"


def test_every_answer_is_small(function: Function) -> None:
    """CloudFormation drops an answer above 4 kB, and then waits for an hour."""
    failed = function("Create", {"refuse": ""}, Chart="no-such-chart" + "x" * 60)
    assert failed["Status"] == "FAILED"
    huge = function("Create", {"refuse": ["é"] * 20_000})
    assert huge["Status"] == "FAILED"
    assert "refused because of [é" in huge["Reason"]
    assert all(len(answer) < 4096 for answer in function.aws.answers)
    assert all(set(json.loads(answer)) >= {"Status", "RequestId", "StackId"} for answer in function.aws.answers)
