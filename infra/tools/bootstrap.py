"""Deploy, once in an account and by a person, the roles by which GitHub Actions deploys the rest.

``python -m infra.tools.bootstrap ENV [platform|router]`` calls the SAM CLI with
``parameters/<env>/deploy-roles.json`` or ``router-deploy-roles.json``; SAM shows the change set and asks. It keeps the
nested part in SAM's own bucket, because ours is among what is being made.
"""

import argparse
import json
import subprocess
import sys

from infra.tools import deploy, stacks

PREFIXES = {"platform": ("platform", "deploy-roles"), "router": ("tocsin", "router-deploy-roles")}


def command(environment: str, what: str = "platform") -> list[str]:
    """Return the call of the SAM CLI."""
    prefix, parameters = PREFIXES[what]
    path = stacks.INFRA / "parameters" / environment / f"{parameters}.json"
    values = json.loads(path.read_text(encoding="utf-8"))
    return [
        deploy.sam_cli(),
        "deploy",
        *("--config-file", str(stacks.INFRA / "samconfig.toml")),
        *("--template-file", str(stacks.INFRA / "cluster-access" / "deploy-roles.yaml")),
        *("--stack-name", f"{prefix}-{environment}-deploy-roles"),
        *("--region", stacks.region_of(what, environment)),
        # Empty values are left to the template's defaults: the CLI reads `Key=` as a missing value.
        *("--parameter-overrides", *(f"{key}={value}" for key, value in values.items() if value)),
    ]


def main(arguments: list[str] | None = None) -> int:
    """Run SAM and end as it does."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("environment", choices=stacks.ENVIRONMENTS)
    parser.add_argument("what", nargs="?", choices=tuple(PREFIXES), default="platform")
    options = parser.parse_args(arguments)
    return subprocess.run(command(options.environment, options.what), check=False).returncode  # noqa: S603


if __name__ == "__main__":
    sys.exit(main())
