"""Run a program within the invocation's time: SIGTERM when it is nearly over, SIGKILL when that did not help."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from helm_release.deadline import Deadline

LONGEST_ERROR = 3000  # characters of what a program wrote to stderr


@dataclass(frozen=True, slots=True)
class Finished:
    """How a program ended. ``stdout`` can hold values and manifests: it is read, never printed.

    ``stopped`` is "", "terminated" (SIGTERM was enough) or "killed".
    """

    code: int
    stdout: str
    stderr: str
    stopped: str = ""

    @property
    def complaint(self) -> str:
        """What the program says went wrong: its ``Error:`` lines and what follows, else all of stderr."""
        lines = [line for line in self.stderr.splitlines() if line.strip()]
        first = next((n for n, line in enumerate(lines) if line.startswith(("Error:", "error:"))), 0)
        return "; ".join(line.strip() for line in lines[first:])[:LONGEST_ERROR]


def run(
    command: Sequence[str], environment: Mapping[str, str], deadline: Deadline, *, stdin: str | None = None
) -> Finished:
    """Run ``command`` until it ends or its time does.

    Args:
        command: program and arguments; no secret belongs there, the process list is readable.
        environment: the whole of it. The function's own credentials are not for helm or for a chart.
        deadline: the invocation's.
        stdin: text for the program.
    """
    process = subprocess.Popen(  # noqa: S603 - our own programs, no shell
        list(command),
        env=dict(environment),
        stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
    )
    stopped = ""
    try:
        stdout, stderr = process.communicate(stdin, timeout=deadline.until_terminate())
    except subprocess.TimeoutExpired:
        process.terminate()
        stopped = "terminated"
        try:
            stdout, stderr = process.communicate(timeout=deadline.until_kill())
        except subprocess.TimeoutExpired:
            process.kill()
            stopped = "killed"
            stdout, stderr = process.communicate()
    return Finished(process.returncode, stdout, stderr, stopped)
