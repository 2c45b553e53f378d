"""Whether chart and controller accept the same settings."""

from collections.abc import Mapping
from typing import Any

from pullkeeper.domain.config.settings import parse_settings
from pullkeeper.domain.errors.validation import InvalidInputError
from testsupport.helm import Helms


def controller_accepts(settings: Mapping[str, Any]) -> bool:
    """Return whether the controller would start with these settings."""
    try:
        parse_settings(settings, {})
    except InvalidInputError:
        return False
    return True


def assert_chart_agrees(helms: Helms, values: dict[str, Any], *, accepted: bool) -> None:
    """Let both Helm versions refuse exactly what the process would end with."""
    found = {helm: answer.status == 0 for helm, answer in helms.template(values).items()}
    assert found == dict.fromkeys(("helm3", "helm4"), accepted)
