"""What a change set would do, its nested stacks included, told so that a person can decide.

Pure but for ``collect``, which asks CloudFormation by the client that it is given.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

# Replacing or removing one of these loses what no template brings back: data, addresses, the cluster itself.
PRECIOUS = frozenset(
    {
        "AWS::DynamoDB::Table",
        "AWS::EC2::EIP",
        "AWS::EC2::Subnet",
        "AWS::EC2::VPC",
        "AWS::EKS::Cluster",
        "AWS::KMS::Key",
        "AWS::Logs::LogGroup",
        "AWS::Route53::HostedZone",
    }
)
STACK_TYPE = "AWS::CloudFormation::Stack"
# A comment of a pull request holds 65,536 characters; the rest of ours needs little.
# https://docs.github.com/en/rest/issues/comments
COMMENT_ROWS = 200


@dataclass(frozen=True, slots=True)
class Change:
    """One resource that the change set would add, modify, replace or remove.

    ``part`` is the path of logical ids of the nested stacks above it; ``properties`` are those whose change causes it.
    """

    part: str
    logical_id: str
    resource_type: str
    action: str
    replacement: str
    properties: tuple[str, ...]

    @property
    def replaces(self) -> bool:
        """Say whether the resource would, or might, be made anew."""
        return self.replacement in ("True", "Conditional")

    @property
    def is_precious(self) -> bool:
        """Say whether the change costs something that cannot be deployed again."""
        return self.resource_type in PRECIOUS and (self.replaces or self.action == "Remove")

    @property
    def verb(self) -> str:
        """Return what happens, in a word or two."""
        if self.action == "Modify" and self.replacement == "True":
            return "REPLACE"
        if self.action == "Modify" and self.replacement == "Conditional":
            return "maybe REPLACE"
        return self.action.upper() if self.action == "Remove" else self.action.lower()


def collect(client: Any, change_set: str, part: str = "") -> Iterator[Change]:
    """Yield the changes of a change set and of those nested in it.

    Arguments:
        client: CloudFormation's client.
        change_set: ARN of the change set.
        part: path of the nested stack, empty for the root.
    """
    for page in client.get_paginator("describe_change_set").paginate(ChangeSetName=change_set):
        for entry in page.get("Changes", []):
            resource = entry["ResourceChange"]
            logical_id = resource["LogicalResourceId"]
            if resource["ResourceType"] == STACK_TYPE and resource.get("ChangeSetId"):
                yield from collect(client, resource["ChangeSetId"], f"{part}{logical_id}/")
                continue
            yield Change(
                part=part,
                logical_id=logical_id,
                resource_type=resource["ResourceType"],
                action=resource["Action"],
                replacement=resource.get("Replacement", "False"),
                properties=tuple(sorted({_changed(detail) for detail in resource.get("Details", [])})),
            )


def _changed(detail: dict[str, Any]) -> str:
    target = detail.get("Target", {})
    return str(target.get("Name") or target.get("Attribute", "?"))


def ordered(changes: list[Change]) -> list[Change]:
    """Return the changes with the dangerous ones first, then by place."""

    def danger(change: Change) -> tuple[bool, bool, bool, str, str]:
        return not change.is_precious, not change.replaces, change.action != "Remove", change.part, change.logical_id

    return sorted(changes, key=danger)


def as_text(stack: str, changes: list[Change]) -> str:
    """Return the changes for a terminal: one a line, the dangerous ones first and marked."""
    if not changes:
        return f"{stack}: no changes\n"
    lines = [f"{stack}: {summary(changes)}"]
    for change in ordered(changes):
        mark = "!!" if change.is_precious else "  "
        because = f"  ({', '.join(change.properties)})" if change.properties else ""
        lines.append(f" {mark} {change.verb:<14} {change.part}{change.logical_id}  {change.resource_type}{because}")
    return "\n".join(lines) + "\n"


def as_markdown(stack: str, changes: list[Change]) -> str:
    """Return the changes for a comment on a pull request."""
    if not changes:
        return f"### `{stack}`\n\nNo changes.\n"
    rows = [
        f"### `{stack}`",
        "",
        summary(changes),
        "",
        "| | what | resource | type | because of |",
        "|---|---|---|---|---|",
    ]
    for change in ordered(changes)[:COMMENT_ROWS]:
        mark = ":warning:" if change.is_precious or change.replaces else ""
        because = ", ".join(f"`{name}`" for name in change.properties)
        rows.append(
            f"| {mark} | {change.verb} | `{change.part}{change.logical_id}` | {change.resource_type} | {because} |"
        )
    if (more := len(changes) - COMMENT_ROWS) > 0:
        rows.append(f"\n… and {more} more: the job's log has them all.")
    return "\n".join(rows) + "\n"


def summary(changes: list[Change]) -> str:
    """Return how many resources are added, modified, replaced and removed."""
    counts = {
        "to add": sum(change.action == "Add" for change in changes),
        "to modify": sum(change.action == "Modify" and not change.replaces for change in changes),
        "to replace": sum(change.replaces for change in changes),
        "to remove": sum(change.action == "Remove" for change in changes),
    }
    told = ", ".join(f"{count} {what}" for what, count in counts.items() if count) or f"{len(changes)} to import"
    precious = sum(change.is_precious for change in changes)
    return f"{told}; {precious} of them cannot be undone" if precious else told
