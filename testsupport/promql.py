"""What a PromQL expression asks for: metrics, and the labels of each that it selects by or groups by."""

import re
from dataclasses import dataclass

_SELECTION = re.compile(r"\b((?:pullkeeper|process|python)_[a-z_]+)(?:\{([^}]*)\})?")
_MATCHER = re.compile(r'([a-z_]+)\s*(?:=~|!~|!=|=)\s*"([^"]*)"')
_GROUPING = re.compile(r"\b(?:by|without|on|ignoring)\s*\(([^)]*)\)")
_SUFFIXES = ("_bucket", "_sum", "_count")

SCRAPED = {"namespace", "job", "instance", "pod"}
"""Labels that come with the scrape and not from us."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Selection:
    """One metric in an expression, with what its labels have to be."""

    metric: str
    matchers: tuple[tuple[str, str], ...]

    @property
    def family(self) -> str:
        """Name the metric that a series of a histogram belongs to."""
        for suffix in _SUFFIXES:
            if self.metric.endswith(f"_seconds{suffix}"):
                return self.metric.removesuffix(suffix)
        return self.metric


def selections(expression: str) -> list[Selection]:
    """List what an expression selects."""
    found = _SELECTION.findall(expression)
    return [Selection(metric=metric, matchers=tuple(_MATCHER.findall(inside))) for metric, inside in found]


def groupings(expression: str) -> set[str]:
    """List the labels that an expression groups and fits by."""
    return {label.strip() for inside in _GROUPING.findall(expression) for label in inside.split(",")} - {""}
