"""What an environment costs in a month while nothing special happens, from its parameters and a short list of prices.

``python -m infra.tools.cost`` prints the table of docs/platform.md. It is an estimate: list prices on demand, without
savings plans, taxes and support; traffic and logs are assumed.
"""

import json
import sys
from dataclasses import dataclass
from typing import Any

from infra.tools import resolve, stacks

HOURS = 730
# Dollars in eu-west-1, rounded. https://aws.amazon.com/eks/pricing/ https://aws.amazon.com/ec2/pricing/on-demand/
# https://aws.amazon.com/vpc/pricing/ https://aws.amazon.com/privatelink/pricing/ https://aws.amazon.com/ebs/pricing/
# https://aws.amazon.com/cloudwatch/pricing/ https://aws.amazon.com/elasticloadbalancing/pricing/
CLUSTER_HOUR = 0.10
INSTANCE_HOURS = {"m8g.4xlarge": 0.80}
NAT_HOUR, NAT_GIGABYTE = 0.048, 0.048
ENDPOINT_HOUR = 0.011
DISK_GIGABYTE = 0.088
LOG_GIGABYTE = 0.57
BALANCER_HOUR = 0.0252
KEY, ZONE = 1.0, 0.5
# Gigabytes a month by NAT and into CloudWatch Logs, and load balancers: what we assume of each environment.
ASSUMED = {"integration": (200, 60, 1), "staging": (500, 120, 2), "production": (2000, 500, 3)}


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the bill, in dollars a month."""

    what: str
    dollars: float


def lines(environment: str) -> list[Line]:
    """Return the bill of an environment, its node groups at the size where they start."""
    path = stacks.INFRA / "parameters" / environment / "cluster-infrastructure.json"
    root = stacks.INFRA / "cluster-infrastructure" / "template.yaml"
    resources = resolve.resolve(root, json.loads(path.read_text(encoding="utf-8"))).resources.values()

    def of(resource_type: str) -> list[dict[str, Any]]:
        return [each["Properties"] for each in resources if each["Type"] == resource_type]

    traffic, logs, balancers = ASSUMED[environment]
    groups = of("AWS::EKS::Nodegroup")
    nodes = sum(group["ScalingConfig"]["DesiredSize"] for group in groups)
    hourly = sum(group["ScalingConfig"]["DesiredSize"] * INSTANCE_HOURS[group["InstanceTypes"][0]] for group in groups)
    disk = of("AWS::EC2::LaunchTemplate")[0]["LaunchTemplateData"]["BlockDeviceMappings"][0]["Ebs"]["VolumeSize"]
    interfaces = sum(len(each["SubnetIds"]) for each in of("AWS::EC2::VPCEndpoint") if "SubnetIds" in each)
    gateways = len(of("AWS::EC2::NatGateway"))
    return [
        Line("control plane", CLUSTER_HOUR * HOURS),
        Line(f"{nodes} nodes", hourly * HOURS),
        Line("their disks", nodes * disk * DISK_GIGABYTE),
        Line(f"{gateways} NAT", gateways * NAT_HOUR * HOURS + traffic * NAT_GIGABYTE),
        Line("endpoints", interfaces * ENDPOINT_HOUR * HOURS),
        Line("logs", logs * LOG_GIGABYTE),
        Line("load balancers", balancers * BALANCER_HOUR * HOURS),
        Line("keys, zone", len(of("AWS::KMS::Key")) * KEY + len(of("AWS::Route53::HostedZone")) * ZONE),
    ]


def table() -> str:
    """Return the bills side by side as Markdown."""
    bills = {environment: lines(environment) for environment in stacks.ENVIRONMENTS}
    rows = ["| dollars a month | " + " | ".join(bills) + " |", "|---|" + "---:|" * len(bills)]
    for columns in zip(*bills.values(), strict=True):
        what = columns[0].what.lstrip("0123456789 ")
        cells = (f"{line.dollars:,.0f}" + _count(line.what) for line in columns)
        rows.append(f"| {what} | {' | '.join(cells)} |")
    totals = (f"**{sum(line.dollars for line in bill):,.0f}**" for bill in bills.values())
    return "\n".join([*rows, f"| **together** | {' | '.join(totals)} |"]) + "\n"


def _count(what: str) -> str:
    first = what.partition(" ")[0]
    return f" ({first})" if first.isdigit() else ""


if __name__ == "__main__":
    sys.stdout.write(table())
