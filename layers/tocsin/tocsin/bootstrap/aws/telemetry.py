"""What operators see of a function: JSON lines and metrics in CloudWatch's embedded format, both by Powertools."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import wraps
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit

Handler = Callable[[dict[str, Any], Any], Any]


class LambdaTelemetry:
    """``Telemetry`` in a function; its service name and namespace are Powertools' own settings.

    Counts are gathered over an invocation and written once at its end: a group of 5,000 alerts is one line, not 5,000.
    Each metric stands under ``service`` alone, for alarms, and under its labels, for people.
    """

    def __init__(self) -> None:
        """Count nothing yet."""
        self.logger = Logger(location=None)  # it would name this file, whoever spoke
        self._counts: Counter[tuple[str, frozenset[tuple[str, str]]]] = Counter()

    def count(self, metric: str, value: int = 1, **labels: str) -> None:
        """See ``Telemetry``."""
        self._counts[metric, frozenset(labels.items())] += value

    def log(self, level: str, message: str, /, **fields: Any) -> None:  # noqa: ANN401 (fields of a log line)
        """See ``Telemetry``; the fields stand below ``fields``, where none can hide one of Powertools' own."""
        extra = {"fields": fields} if fields else {}
        getattr(self.logger, level)(message, extra=extra)

    def invocation(self, handler: Handler) -> Handler:
        """Decorate a handler: its lines carry the request's id, its counts are written however it ends."""

        @wraps(handler)
        @self.logger.inject_lambda_context(clear_state=True)
        def invoked(event: dict[str, Any], context: Any) -> Any:  # noqa: ANN401 (JSON; Lambda's context)
            try:
                return handler(event, context)
            finally:
                self.flush()

        return invoked

    def flush(self) -> None:
        """Write what was counted."""
        counts, self._counts = self._counts, Counter()
        for (metric, labels), value in sorted(counts.items(), key=lambda counted: counted[0][0]):
            written = EphemeralMetrics()
            if labels:
                written.add_dimensions(**dict(sorted(labels)))
            written.add_metric(name=metric, unit=MetricUnit.Count, value=value)
            written.flush_metrics()
