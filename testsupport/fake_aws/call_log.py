"""The record of every call, in the order of arrival."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import datetime

from testsupport.fake_aws.records import API_SERVICES, Call


class CallLog:
    """Calls are entered when they arrive, so that one that is never answered counts too."""

    def __init__(self) -> None:
        self._numbers = itertools.count()
        self._calls: dict[int, Call] = {}

    def begin(self, call: Call) -> int:
        """Enter a call; gives the number to finish it under."""
        number = next(self._numbers)
        self._calls[number] = call
        return number

    def finish(self, number: int, outcome: str, at: datetime) -> None:
        """Write down how a call ended, and when (unless it was forgotten meanwhile)."""
        if number in self._calls:
            self._calls[number] = replace(self._calls[number], outcome=outcome, ended=at)

    def all(self) -> list[Call]:
        """Give a copy of the record."""
        return list(self._calls.values())

    def forget(self) -> None:
        """Start the record anew."""
        self._calls = {}

    def count(
        self,
        operation: str | None = None,
        *,
        region: str | None = None,
        since: datetime | None = None,
        service: str | None = None,
        faulted: bool | None = None,
        outcome: str | None = None,
    ) -> int:
        """How many calls fit; with neither operation nor service only those to ECR, ECR Public and STS."""
        services = API_SERVICES if operation is None and service is None else None
        return sum(
            (services is None or call.service in services)
            and service in {None, call.service}
            and operation in {None, call.operation}
            and region in {None, call.region}
            and faulted in {None, call.faulted}
            and outcome in {None, call.outcome}
            and (since is None or call.time >= since)
            for call in self.all()
        )
