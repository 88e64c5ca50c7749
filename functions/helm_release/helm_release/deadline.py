"""How the time of one invocation is shared out between helm, its rolling back, and the answer.

An invocation that Lambda ends leaves CloudFormation waiting for an hour and the release ``pending-*``. So helm gets a
timeout that ends well before, then SIGTERM (it rolls back), then SIGKILL, and the answer is sent in any case.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from helm_release.errors import TooLongError

MILLISECONDS = 1000.0


@dataclass(frozen=True, slots=True)
class Reserves:
    """Seconds before the invocation's end at which each thing must be over."""

    helm: float = 90.0  # helm's own --timeout, after which it rolls back
    terminate: float = 60.0  # SIGTERM: helm stops waiting and rolls back
    kill: float = 20.0  # SIGKILL: what is left is for the answer


@dataclass(frozen=True, slots=True)
class Deadline:
    """The end of this invocation.

    Args:
        remaining: milliseconds left, as Lambda's ``context.get_remaining_time_in_millis`` tells.
        reserves: what is kept back from it.
    """

    remaining: Callable[[], float]
    reserves: Reserves = field(default_factory=Reserves)

    def seconds(self) -> float:
        """Seconds until Lambda ends the invocation."""
        return self.remaining() / MILLISECONDS

    def longest(self) -> int:
        """The longest ``--timeout``, in whole seconds, that helm may be given now; 0 when none is left."""
        return max(0, int(self.seconds() - self.reserves.helm))

    def until_terminate(self) -> float:
        """Seconds until a running program gets SIGTERM."""
        return max(0.0, self.seconds() - self.reserves.terminate)

    def until_kill(self) -> float:
        """Seconds until a running program gets SIGKILL."""
        return max(0.0, self.seconds() - self.reserves.kill)

    def grant(self, asked: int, what: str) -> int:
        """The timeout for helm: what was asked for, if one invocation has it.

        Args:
            asked: seconds.
            what: the release, for the sentence.

        Raises:
            TooLongError: it has not. Giving less would fail a release that only needed its time.
        """
        longest = self.longest()
        if asked > longest:
            raise TooLongError(
                f"{what} asks for {asked} s, but this invocation has {longest} s for helm "
                f"({self.seconds():.0f} s left, {self.reserves.helm:.0f} s of them for rolling back and answering). "
                "What cannot finish in one invocation is not for CloudFormation: lower Timeout, or let Argo CD carry "
                "the release (carrier: argocd in infra/charts.lock.yaml)"
            )
        return asked
