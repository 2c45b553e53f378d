"""Pull Secrets that say the same share one record in memory; what tenants write takes no room there."""

from datetime import timedelta

from pullkeeper.domain.secret import secret_record
from pullkeeper.domain.secret.secret_record import IDENTITY, OPTED_IN_BY, REFRESH, REGISTRIES, TOKENS, read_record
from testsupport.examples import EU, NOW, published


def test_secrets_that_say_the_same_share_one_record() -> None:
    """Ten thousand namespaces with one token need one record."""
    annotations = published(EU).annotations()
    record = read_record(annotations)
    assert record is not None
    assert record == published(EU)
    assert read_record(dict(annotations)) is record
    assert read_record(annotations | {REFRESH: "again"}) == published(EU, refresh_requested_at="again")


def test_no_more_than_a_bounded_number_of_records_is_remembered() -> None:
    """However often a tenant edits the Secret, and however long the annotations are that it writes."""
    annotations = published(EU).annotations()
    for number in range(2000):
        assert read_record(annotations | {REFRESH: f"{number}"}) is not None
    remembered = secret_record.read_shared.cache_info()
    assert remembered.currsize == remembered.maxsize == 512
    left = 4096 - sum(len(annotations[key]) for key in (REGISTRIES, IDENTITY, TOKENS, OPTED_IN_BY))
    for length, misses in ((left, 1), (left + 1, 0)):
        secret_record.read_shared.cache_clear()
        long = read_record(annotations | {REFRESH: "x" * length})
        assert long is not None
        assert long.refresh_requested_at == "x" * length
        assert secret_record.read_shared.cache_info().misses == misses


def test_the_same_tokens_are_worded_once_and_a_bounded_number_of_them_is_remembered() -> None:
    """What is the namespace's own does not matter; nor does what a Secret says that is only read."""
    texts = secret_record.shared_annotations
    texts.cache_clear()
    first = published(EU, refresh_requested_at="1").annotations()
    assert first.pop(REFRESH) == "1"
    assert published(EU).annotations() == first
    assert texts.cache_info().misses == 1
    for seconds in range(200):
        assert published(EU, issued=NOW + timedelta(seconds=seconds)).keys
    assert texts.cache_info().currsize == 1
    for seconds in range(200):
        assert published(EU, issued=NOW + timedelta(seconds=seconds)).annotations()
    assert texts.cache_info().currsize == texts.cache_info().maxsize == 64


def test_annotations_that_are_no_text_are_corrupted_like_any() -> None:
    """The API server lets no such object pass; a proxy may."""
    annotations: dict[str, object] = dict(published(EU).annotations())
    assert read_record(annotations | {TOKENS: ["a"]}) is None  # type: ignore[arg-type] # what is tested
