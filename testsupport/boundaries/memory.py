"""What the process holds in memory, by size: every object that can be reached, whoever holds it."""

import gc
import sys
from collections import Counter
from collections.abc import Iterator


def by_type(but: type) -> Counter[str]:
    """Return the bytes of all objects, by their type's name, without those of one type and what only they refer to.

    Walks the objects that the collector tracks and all that those refer to: texts and numbers are not tracked.
    """
    gc.collect()
    sizes: Counter[str] = Counter()
    for found in _reachable(but):
        sizes[type(found).__qualname__] += sys.getsizeof(found)
    return sizes


def _reachable(but: type) -> Iterator[object]:
    waiting = [each for each in gc.get_objects() if not isinstance(each, but)]
    seen = {id(waiting), *map(id, waiting)}
    while waiting:
        found = waiting.pop()
        yield found
        for each in gc.get_referents(found):
            if id(each) not in seen and not isinstance(each, but):
                seen.add(id(each))
                waiting.append(each)
