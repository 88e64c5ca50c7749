"""Deploy, once in an account and by a person, the roles by which GitHub Actions deploys the rest.

``python -m infra.tools.bootstrap ENV`` calls the SAM CLI with ``parameters/<env>/deploy-roles.json``; SAM shows the
change set and asks. It keeps the one nested part in SAM's own bucket, because ours is among what is being made.
"""

import argparse
import json
import subprocess
import sys

from infra.tools import deploy


def command(environment: str) -> list[str]:
    """Return the call of the SAM CLI."""
    path = deploy.INFRA / "parameters" / environment / "deploy-roles.json"
    values = json.loads(path.read_text(encoding="utf-8"))
    return [
        deploy.sam_cli(),
        "deploy",
        *("--config-file", str(deploy.INFRA / "samconfig.toml")),
        *("--template-file", str(deploy.INFRA / "cluster-access" / "deploy-roles.yaml")),
        *("--stack-name", f"platform-{environment}-deploy-roles"),
        # Empty values are left to the template's defaults: the CLI reads `Key=` as a missing value.
        *("--parameter-overrides", *(f"{key}={value}" for key, value in values.items() if value)),
    ]


def main(arguments: list[str] | None = None) -> int:
    """Run SAM and end as it does."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("environment", choices=deploy.ENVIRONMENTS)
    return subprocess.run(command(parser.parse_args(arguments).environment), check=False).returncode  # noqa: S603


if __name__ == "__main__":
    sys.exit(main())
