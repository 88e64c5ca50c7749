"""Lambda's door to the Helm release custom resource: event in, one call, the answer goes to CloudFormation."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

from helm_release import handling, wiring


@functools.cache
def _tools() -> handling.Tools:
    return wiring.from_environment()


def handler(event: Mapping[str, Any], context: Any) -> dict[str, Any]:  # noqa: ANN401 - Lambda's own untyped object
    return handling.serve(event, context.get_remaining_time_in_millis, _tools())
