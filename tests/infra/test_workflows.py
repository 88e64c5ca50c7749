"""GitHub's workflows: valid by its own schema, pinned, with few rights, and calling what exists."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from infra.tools import deploy, stacks
from tests.infra import world

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / ".github" / "workflows"
WORKFLOWS = sorted(FOLDER.glob("*.yml"))
PLATFORM = [
    FOLDER / name for name in ("platform.yml", "deploy.yml", "deploy-router.yml", "deploy-environment.yml", "drift.yml")
]
PINNED = re.compile(r"^[\w.-]+/[\w./-]+@[0-9a-f]{40}$")
# What a stranger can write, and what a shell would therefore run: https://docs.github.com/en/actions/concepts/security/script-injections
STRANGERS = re.compile(
    r"\$\{\{[^}]*(github\.(event|head_ref|base_ref|ref_name)|inputs\.|matrix\.|steps\.|needs\.)[^}]*\}\}"
)
SUBJECT = re.compile(r"environment:([\w-]+)$")


def load(path: Path) -> dict[str, Any]:
    workflow = yaml.safe_load(path.read_text(encoding="utf-8"))
    # YAML 1.1 takes the key `on` for a truth.
    return {("on" if key is True else key): value for key, value in workflow.items()}


def steps(workflow: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for job in workflow["jobs"].values():
        yield from job.get("steps", [])


def unpinned(workflow: dict[str, Any]) -> list[str]:
    used = [step["uses"] for step in steps(workflow) if "uses" in step]
    used += [job["uses"] for job in workflow["jobs"].values() if "uses" in job]
    return [name for name in used if not name.startswith("./") and not PINNED.match(name)]


def injectable(workflow: dict[str, Any]) -> list[str]:
    return [step["run"] for step in steps(workflow) if STRANGERS.search(step.get("run", ""))]


def too_free(workflow: dict[str, Any]) -> list[str]:
    """Return the jobs that may more than read without saying what, never end, or keep the token in their clone."""
    told = []
    if workflow.get("permissions") not in ({}, {"contents": "read"}):
        told.append("the workflow as a whole may more than read")
    if "pull_request_target" in workflow["on"]:
        told.append("code of strangers runs with our rights")
    for name, job in workflow["jobs"].items():
        writes = {right for right, level in job.get("permissions", {}).items() if level == "write"}
        if writes - {"id-token", "issues", "pull-requests"} or len(writes) > 1:
            told.append(f"{name} may write {sorted(writes)}")
        if "uses" not in job and "timeout-minutes" not in job:
            told.append(f"{name} may run for six hours")
        clones = [step for step in job.get("steps", []) if "checkout@" in step.get("uses", "")]
        if writes and any(step.get("with", {}).get("persist-credentials") is not False for step in clones):
            told.append(f"{name} leaves its token to what it runs")
    return told


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_github_takes_it(path: Path) -> None:
    tool = Path(
        shutil.which("check-jsonschema", path=str(ROOT / ".venv" / "bin")) or shutil.which("check-jsonschema") or ""
    )
    if not tool.name:
        pytest.skip("check-jsonschema is not installed (make setup)")
    done = subprocess.run(
        [tool, "--builtin-schema", "vendor.github-workflows", path], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_actionlint_finds_nothing() -> None:
    tool = shutil.which("actionlint")
    if not tool:
        pytest.skip("actionlint is not on PATH; the schema and the checks of this module stand in for it")
    done = subprocess.run([tool, "-no-color", *WORKFLOWS], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_every_action_is_pinned_by_commit(path: Path) -> None:
    assert unpinned(load(path)) == []


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_one_action_has_one_commit_and_says_its_version(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    for line in re.findall(r"uses: \S+@[0-9a-f]{40}.*", text):
        assert re.search(r"  # v\d+\.\d+\.\d+$", line), f"{line}: say the version behind the commit"


def test_an_action_is_the_same_everywhere() -> None:
    commits: dict[str, set[str]] = {}
    for path in PLATFORM:
        for step in steps(load(path)):
            if "@" in step.get("uses", ""):
                name, _, commit = step["uses"].partition("@")
                commits.setdefault(name, set()).add(commit)
    assert {name: found for name, found in commits.items() if len(found) > 1} == {}


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_no_shell_reads_what_a_stranger_wrote(path: Path) -> None:
    assert injectable(load(path)) == []


@pytest.mark.parametrize("path", PLATFORM, ids=lambda path: path.name)
def test_rights_are_few(path: Path) -> None:
    assert too_free(load(path)) == []


JOB = {"runs-on": "ubuntu-24.04", "timeout-minutes": 5, "steps": []}


@pytest.mark.parametrize(
    ("check", "workflow", "sentence"),
    [
        (unpinned, {"jobs": {"a": {"steps": [{"uses": "actions/checkout@v7"}]}}}, "a tag moves"),
        (unpinned, {"jobs": {"a": {"uses": "other/repo/.github/workflows/x.yml@main"}}}, "so does a branch"),
        (unpinned, {"jobs": {"a": {"steps": [{"uses": "actions/checkout@3d3c42e"}]}}}, "a short commit is not unique"),
        (
            injectable,
            {"jobs": {"a": {"steps": [{"run": "echo ${{ github.event.pull_request.title }}"}]}}},
            "a title is a program",
        ),
        (injectable, {"jobs": {"a": {"steps": [{"run": "make ENV=${{ inputs.environment }}"}]}}}, "so is an input"),
        (too_free, {"on": {}, "jobs": {"a": JOB}}, "the default token writes"),
        (too_free, {"on": {}, "permissions": {"contents": "write"}, "jobs": {"a": JOB}}, "every job writes"),
        (too_free, {"on": {"pull_request_target": {}}, "permissions": {}, "jobs": {"a": JOB}}, "strangers' code"),
        (
            too_free,
            {"on": {}, "permissions": {}, "jobs": {"a": JOB | {"permissions": {"packages": "write"}}}},
            "a right nobody needs",
        ),
        (too_free, {"on": {}, "permissions": {}, "jobs": {"a": {"steps": []}}}, "no end"),
        (
            too_free,
            {
                "on": {},
                "permissions": {},
                "jobs": {"a": JOB | {"permissions": {"id-token": "write"}, "steps": [{"uses": "actions/checkout@x"}]}},
            },
            "the token stays in the clone",
        ),
    ],
)
def test_the_checks_notice(check: Any, workflow: dict[str, Any], sentence: str) -> None:
    assert check(workflow) != [], sentence


@pytest.mark.parametrize(("name", "what"), [("deploy.yml", "platform"), ("deploy-router.yml", "router")])
def test_integration_then_staging_then_production(name: str, what: str) -> None:
    workflow = load(FOLDER / name)
    order = [(name, job["needs"], job["with"]) for name, job in workflow["jobs"].items() if "with" in job]
    assert order == [
        ("integration", "test", {"environment": "integration", "what": what}),
        ("staging", "integration", {"environment": "staging", "what": what}),
        ("production", "staging", {"environment": "production", "what": what}),
    ]
    assert workflow["concurrency"]["cancel-in-progress"] is False
    assert workflow["on"]["push"]["branches"] == ["main"]


def test_each_system_is_deployed_by_its_own_roles() -> None:
    job = load(FOLDER / "deploy-environment.yml")["jobs"]["deploy"]
    assert job["environment"] == "${{ inputs.environment }}", "whose reviewers approve"
    called = {step["if"]: step for step in job["steps"] if "deploy-" in step.get("run", "")}
    assert len(called) == 2
    for what, role in (("platform", "vars.EXECUTION_ROLE_ARN"), ("router", "vars.ROUTER_EXECUTION_ROLE_ARN")):
        step = called[f"inputs.what == '{what}'"]
        assert f"make deploy-{what} " in step["run"]
        assert step["env"]["EXECUTION_ROLE_ARN"] == f"${{{{ {role} }}}}"


def test_before_tests_run_the_tools_that_they_ask_are_there() -> None:
    """Without helm the tests of the third layer are skipped, and a skipped test is no proof."""
    for path in WORKFLOWS:
        lines = [line for step in steps(load(path)) for line in step.get("run", "").splitlines()]
        for number, line in enumerate(lines):
            if "pytest" in line or re.search(r"\bmake\b.* test\b|\bmake test\b", line):
                assert any("helm-tools" in earlier for earlier in lines[: number + 1]), f"{path.name}: {line}"
    assert re.search(r"^make .*helm-tools", (ROOT / ".ci" / "run").read_text(encoding="utf-8"), re.MULTILINE)


def test_the_environments_are_those_that_the_roles_trust() -> None:
    trusted: dict[str, set[str]] = {"deploy": set(), "plan": set()}
    for environment in world.ENVIRONMENTS:
        for path, given in world.build(environment).of_type("AWS::IAM::Role"):
            for statement in given["AssumeRolePolicyDocument"]["Statement"]:
                if "Federated" in statement["Principal"]:
                    subject = statement["Condition"]["StringEquals"]["token.actions.githubusercontent.com:sub"]
                    trusted["plan" if path.endswith("PlanRole") else "deploy"].add(SUBJECT.search(subject)[1])
    for name in ("platform.yml", "drift.yml"):  # and the router's roles trust the same ones
        (job,) = [job for job in load(FOLDER / name)["jobs"].values() if "environment" in job]
        used = {
            job["environment"].replace("${{ matrix.environment }}", each)
            for each in job["strategy"]["matrix"]["environment"]
        }
        assert used == trusted["plan"]
    assert {
        job["with"]["environment"] for job in load(FOLDER / "deploy.yml")["jobs"].values() if "with" in job
    } == trusted["deploy"]


def test_what_is_called_exists() -> None:
    targets = set()
    for makefile in [ROOT / "Makefile", *ROOT.glob("*.mk"), *(ROOT / "infra").glob("*.mk")]:
        targets |= set(re.findall(r"^([a-z-]+):", makefile.read_text(encoding="utf-8"), re.MULTILINE))
    for path in PLATFORM:
        for step in steps(load(path)):
            for line in step.get("run", "").splitlines():
                if line.startswith("make "):
                    called = [word for word in line.split()[1:] if "=" not in word]
                    assert set(called) <= targets, line
                for module in re.findall(r"-m (infra\.[\w.]+)", line):
                    assert (ROOT / (module.replace(".", "/") + ".py")).exists(), line


def test_shell_steps_parse() -> None:
    for path in PLATFORM:
        for step in steps(load(path)):
            if "run" in step:
                done = subprocess.run(["bash", "-n"], input=step["run"], capture_output=True, text=True, check=False)
                assert done.returncode == 0, f"{path.name}: {done.stderr}"


def test_drift_is_looked_for_every_night_and_never_in_silence() -> None:
    workflow = load(FOLDER / "drift.yml")
    assert re.fullmatch(r"\d+ \d+ \* \* \*", workflow["on"]["schedule"][0]["cron"])
    assert workflow["jobs"]["look"]["strategy"]["matrix"]["environment"] == list(stacks.ENVIRONMENTS)
    assert "needs.look.result != 'success'" in workflow["jobs"]["tell"]["if"]
    assert not any(step.get("continue-on-error") for step in workflow["jobs"]["look"]["steps"])


def test_a_session_lasts_as_long_as_a_deployment_may() -> None:
    job = load(FOLDER / "deploy-environment.yml")["jobs"]["deploy"]
    (asked,) = [
        step["with"]["role-duration-seconds"]
        for step in job["steps"]
        if "role-duration-seconds" in step.get("with", {})
    ]
    role = world.build("production").resources["deploy-roles/DeployRole"]["Properties"]
    assert asked == role["MaxSessionDuration"] == job["timeout-minutes"] * 60 == deploy.PATIENCE_SECONDS
