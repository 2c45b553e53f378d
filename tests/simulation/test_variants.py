"""Each broken variant of the controller is told from the real one by a drawn world."""

from collections import Counter

import pytest

from testsupport.simulation.years.invariants import INVARIANTS
from testsupport.simulation.years.variants import VARIANTS, caught_by

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("name", VARIANTS)
def test_a_broken_variant_is_caught(name: str) -> None:
    """Among a few worlds there is one in which the variant breaks the invariant that it is named for."""
    assert caught_by(name) is not None


def test_each_invariant_has_at_least_two_variants() -> None:
    """No invariant is only believed to be checked."""
    variants = Counter(name[:2] for name in VARIANTS)
    assert {name[:2] for name in INVARIANTS} == set(variants)
    assert min(variants.values()) >= 2
