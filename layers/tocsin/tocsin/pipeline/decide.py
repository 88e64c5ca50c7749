"""Decide: one worker for the inbox and for what is due; with ``group_wait: 0s`` it routes and flushes in one run."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tocsin.config.plan import Plan
from tocsin.errors import ConflictError, StoreBusyError, StoreError, StoreFullError
from tocsin.pipeline.flush import Flusher
from tocsin.pipeline.heartbeats import Heartbeats
from tocsin.pipeline.intake import CONDEMNED, Intake, Read
from tocsin.pipeline.messages import Hint, decode_hint
from tocsin.pipeline.route import Router
from tocsin.ports import DUE, INBOX, Clock, Queues, Received, Telemetry

TRIES = 4  # of one flush, when a lane or the group is written by others meanwhile


class Decide:
    """Composes the stages; ``inbox`` and ``due`` take a batch and name the messages that must come again."""

    def __init__(
        self,
        *,
        intake: Intake,
        router: Router,
        flusher: Flusher,
        heartbeats: Heartbeats,
        plan: Callable[[], Plan],
        queues: Queues,
        clock: Clock,
        telemetry: Telemetry,
    ) -> None:
        """Take the stages; ``plan`` gives the current plan and is asked once a batch."""
        self._intake, self._router, self._flusher, self._heartbeats = intake, router, flusher, heartbeats
        self._plan, self._queues, self._clock, self._telemetry = plan, queues, clock, telemetry

    def inbox(self, received: Sequence[Received]) -> list[str]:
        """Work messages of the inbox.

        Returns:
            The ids of those that failed and must be handed out again; the others are done and may be acknowledged.
        """
        plan = self._plan()
        together, suspects = self._intake.sort(received)
        failed = self._work(together, plan)
        if suspects and together:
            # What comes next may take the process along: it must not take these with it.
            self._queues.ack(INBOX, [each.receipt for each in together if each.id not in failed])
        for suspect in suspects:
            condemned = self._intake.sighting(suspect) >= CONDEMNED
            failed += self._work([suspect], plan, condemned=condemned)
            if suspect.id not in failed:
                self._queues.ack(INBOX, [suspect.receipt])
        return failed

    def _work(self, received: Sequence[Received], plan: Plan, *, condemned: bool = False) -> list[str]:
        reads: list[Read] = []
        failed: list[str] = []
        for each in received:
            try:
                reads.append(self._intake.read(each, condemned=condemned))
            except StoreError as error:
                self._telemetry.log("error", "a message could not be read", message=each.id, error=str(error))
                failed.append(each.id)
        if not reads:
            return failed
        try:
            due = self._router.work(reads, plan)
            self._heartbeats.beat(reads, plan)
        except StoreError as error:
            self._telemetry.count("retries", stage="route")
            self._telemetry.log("error", "a batch could not be routed", messages=len(reads), error=str(error))
            if isinstance(error, ConflictError | StoreBusyError | StoreFullError):
                for read in reads:
                    self._intake.survived(read.received)
            return [*failed, *(read.received.id for read in reads)]
        for group in due:
            self._flush_now(group, plan)
        return failed

    def _flush_now(self, group: str, plan: Plan) -> None:
        """Flush in the same run; what goes wrong is hinted, the message itself is done."""
        try:
            self._persistently(Hint("group", group), plan)
        except StoreError as error:
            self._telemetry.log("warning", "a flush has to be repeated", group=group, error=str(error))
            now = self._clock.now()
            self._queues.send(DUE, [Hint("group", group).message(now, now)])

    def due(self, received: Sequence[Received]) -> list[str]:
        """Follow hints; the answer names those whose work failed."""
        plan = self._plan()
        failed = []
        for each in received:
            hint = decode_hint(each.body)
            try:
                if hint is not None:
                    self._persistently(hint, plan)
            except ConflictError:
                failed.append(each.id)  # somebody else was at it all the time; look again later
            except StoreError as error:
                self._telemetry.log("error", "a hint could not be followed", hint=each.body, error=str(error))
                failed.append(each.id)
        return failed

    def _persistently(self, hint: Hint, plan: Plan) -> None:
        """Follow a hint again at once when somebody wrote in between: a page must not wait for the next tick."""
        for _ in range(TRIES - 1):
            try:
                self.follow(hint, plan)
            except ConflictError:
                self._telemetry.count("conflicts", stage="flush")
            else:
                return
        self.follow(hint, plan)

    def follow(self, hint: Hint, plan: Plan) -> None:
        """Do what one hint asks for, if it is still to be done."""
        if hint.what == "group":
            self._flusher.work(hint.id, plan)
        elif hint.what == "heartbeat":
            self._heartbeats.work(hint.id, plan)
