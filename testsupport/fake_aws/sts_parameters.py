"""Checks of STS' parameters, by the lengths and patterns of its service model."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from testsupport.fake_aws.errors import validation
from testsupport.fake_aws.iam import Role

MAX_CHAINED: Final = timedelta(hours=1)
_DEFAULT_SECONDS: Final = 3600


@dataclass(frozen=True, kw_only=True, slots=True)
class Rule:
    """The form of one string parameter."""

    member: str
    shortest: int
    longest: int
    pattern: str = r".*"

    def problems(self, value: str) -> list[str]:
        """Say what is wrong with a value, in STS' words."""
        found = []
        start = f"Value '{value}' at '{self.member}' failed to satisfy constraint: Member must"
        if len(value) < self.shortest:
            found.append(f"{start} have length greater than or equal to {self.shortest}")
        if len(value) > self.longest:
            found.append(f"{start} have length less than or equal to {self.longest}")
        if re.fullmatch(self.pattern, value, re.ASCII | re.DOTALL) is None:
            found.append(f"{start} satisfy regular expression pattern: {self.pattern}")
        return found


_ROLE_ARN: Final = Rule(member="roleArn", shortest=20, longest=2048)
_SESSION_NAME: Final = Rule(member="roleSessionName", shortest=2, longest=64, pattern=r"[\w+=,.@-]*")
_WEB_TOKEN: Final = Rule(member="webIdentityToken", shortest=4, longest=20000)
_EXTERNAL_ID: Final = Rule(member="externalId", shortest=2, longest=1224, pattern=r"[\w+=,.@:\/-]*")
_SOURCE_IDENTITY: Final = Rule(member="sourceIdentity", shortest=2, longest=64, pattern=r"[\w+=,.@-]*")
# The model writes [\p{L}\p{Z}\p{N}_.:/=+\-@]; `re` has no such classes, its Unicode \w and \s come near.
_TAG_KEY: Final = Rule(member="tags.key", shortest=1, longest=128, pattern=r"(?u:[\w\s.:/=+\-@])+")
_TAG_VALUE: Final = Rule(member="tags.value", shortest=0, longest=256, pattern=r"(?u:[\w\s.:/=+\-@])*")

_REQUIRED: Final = {
    "AssumeRole": (("RoleArn", _ROLE_ARN), ("RoleSessionName", _SESSION_NAME)),
    "AssumeRoleWithWebIdentity": (
        ("RoleArn", _ROLE_ARN),
        ("RoleSessionName", _SESSION_NAME),
        ("WebIdentityToken", _WEB_TOKEN),
    ),
}
_OPTIONAL: Final = {
    "AssumeRole": (("ExternalId", _EXTERNAL_ID), ("SourceIdentity", _SOURCE_IDENTITY)),
    "AssumeRoleWithWebIdentity": (),
}


def check_parameters(operation: str, parameters: Mapping[str, object]) -> None:
    """Raise ValidationError with every problem of an AssumeRole* request at once."""
    problems: list[str] = []
    for name, rule in _REQUIRED[operation]:
        value = parameters.get(name)
        missing = f"Value null at '{rule.member}' failed to satisfy constraint: Member must not be null"
        problems += rule.problems(str(value)) if value is not None else [missing]
    for name, rule in _OPTIONAL[operation]:
        problems += rule.problems(str(parameters[name])) if name in parameters else []
    problems += _tag_problems(session_tags(parameters)) + _duration_problems(parameters)
    if problems:
        plural = "s" if len(problems) > 1 else ""
        raise validation(f"{len(problems)} validation error{plural} detected: {'; '.join(problems)}")


def session_tags(parameters: Mapping[str, object]) -> list[tuple[str, str]]:
    """Give the session tags of a request, in order."""
    numbers = sorted(int(m[1]) for name in parameters if (m := re.fullmatch(r"Tags\.member\.(\d+)\.Key", name)))
    keyed = [(f"Tags.member.{n}.Key", f"Tags.member.{n}.Value") for n in numbers]
    return [(str(parameters[key]), str(parameters.get(value, ""))) for key, value in keyed]


def _tag_problems(tags: list[tuple[str, str]]) -> list[str]:
    problems = [each for key, value in tags for each in _TAG_KEY.problems(key) + _TAG_VALUE.problems(value)]
    if len(tags) > 50:
        problems.append(
            "Value at 'tags' failed to satisfy constraint: Member must have length less than or equal to 50"
        )
    return problems


def _duration_problems(parameters: Mapping[str, object]) -> list[str]:
    text = str(parameters.get("DurationSeconds", _DEFAULT_SECONDS))
    start = f"Value '{text}' at 'durationSeconds' failed to satisfy constraint: Member must"
    if re.fullmatch(r"\d{1,9}", text, re.ASCII) is None:
        return [f"{start} be an integer"]
    if int(text) < 900:
        return [f"{start} have value greater than or equal to 900"]
    return [f"{start} have value less than or equal to 43200"] if int(text) > 43200 else []


def session_life(parameters: Mapping[str, object], role: Role, *, chained: bool) -> timedelta:
    """How long the session is to live; raises ValidationError above what the role or role chaining allows."""
    life = timedelta(seconds=int(str(parameters.get("DurationSeconds", _DEFAULT_SECONDS))))
    if chained and life > MAX_CHAINED:
        raise validation(
            "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining"
        )
    if life > role.max_session:
        raise validation("The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")
    return life
