"""Find the metrics that a PromQL expression selects, and the labels that it selects or groups by."""

import re
from dataclasses import dataclass

_SELECTION = re.compile(r"\b((?:pullkeeper|process|python)_[a-z_]+)(?:\{([^}]*)\})?")
_MATCHER = re.compile(r'([a-z_]+)\s*(?:=~|!~|!=|=)\s*"([^"]*)"')
_GROUPING = re.compile(r"\b(?:by|without|on|ignoring)\s*\(([^)]*)\)")
_SUFFIXES = ("_bucket", "_sum", "_count")

SCRAPED = {"cluster", "namespace", "job", "instance", "pod"}
"""Labels that Prometheus adds when it scrapes; that of the cluster only where somebody has it do so."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Selection:
    """A metric in an expression, with its label matchers."""

    metric: str
    matchers: tuple[tuple[str, str], ...]

    @property
    def family(self) -> str:
        """The metric that a series belongs to, without the suffix of a histogram's series."""
        for suffix in _SUFFIXES:
            if self.metric.endswith(f"_seconds{suffix}"):
                return self.metric.removesuffix(suffix)
        return self.metric


def selections(expression: str) -> list[Selection]:
    """Return the selections in an expression."""
    found = _SELECTION.findall(expression)
    return [Selection(metric=metric, matchers=tuple(_MATCHER.findall(inside))) for metric, inside in found]


def groupings(expression: str) -> set[str]:
    """Return the labels that an expression groups or joins by."""
    return {label.strip() for inside in _GROUPING.findall(expression) for label in inside.split(",")} - {""}
