"""The policy pack: every policy holds in every environment, and every policy notices when it does not."""

import pytest

from tests.infra import policy_cluster, policy_identity, policy_network, policy_nodes, world
from tests.infra.policy import Policy, Seed

POLICIES = [
    *policy_network.POLICIES,
    *policy_cluster.POLICIES,
    *policy_nodes.POLICIES,
    *policy_identity.POLICIES,
]
SEEDS = [(policy, seed) for policy in POLICIES for seed in policy.seeds]


@pytest.fixture(scope="module", params=world.ENVIRONMENTS)
def environment(request: pytest.FixtureRequest) -> world.World:
    return world.build(request.param)


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: policy.sentence)
def test_it_holds(policy: Policy, environment: world.World) -> None:
    assert list(policy.check(environment)) == []


@pytest.mark.parametrize(
    ("policy", "seed"), SEEDS, ids=[f"{policy.sentence}: {seed.sentence}" for policy, seed in SEEDS]
)
def test_it_notices(policy: Policy, seed: Seed) -> None:
    assert list(policy.check(world.build("production", seed.mutate))) != []


def test_every_policy_is_proven() -> None:
    assert [policy.sentence for policy in POLICIES if not policy.seeds] == []
