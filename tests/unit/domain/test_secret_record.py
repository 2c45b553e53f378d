"""What the annotations of a pull Secret tell a restart."""

import json
from dataclasses import replace
from datetime import timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pullkeeper.domain.ecr.token_scope import TokenScope
from pullkeeper.domain.iam.identity import CONTROLLER, Identity
from pullkeeper.domain.secret.pull_secret import SecretRecord, read_record
from testsupport.examples import EU, EU_OTHER_ACCOUNT, HOUR, NOW, PUBLIC, US, publications, published, scope, times

GOOD = published(EU, PUBLIC, refresh_requested_at="1").annotations()
PREFIX = "pullkeeper.dev/"


def tampered(tokens: object) -> SecretRecord | None:
    text = tokens if isinstance(tokens, str) else json.dumps(tokens)
    only_eu = published(EU).annotations()
    return read_record({**only_eu, f"{PREFIX}tokens": text})


def of_times(issued: Any, expires: Any) -> SecretRecord | None:
    return tampered({"eu-west-1": {"issued-at": issued, "expires-at": expires}})


def test_the_annotations_are_as_documented() -> None:
    """Headline, registries, identity, each token's times and the answered request, in UTC."""
    held = {
        scope(EU): times(),
        scope(PUBLIC): times(issued=NOW + HOUR, life=2 * HOUR),
    }
    content = SecretRecord(registries=(EU, PUBLIC), identity=CONTROLLER, tokens=held, refresh_requested_at="now")
    assert content.annotations() == {
        f"{PREFIX}issued-at": "2026-03-01T13:00:00.000Z",
        f"{PREFIX}expires-at": "2026-03-01T15:00:00.000Z",
        f"{PREFIX}registries": f"{EU},public.ecr.aws",
        f"{PREFIX}identity": "controller",
        f"{PREFIX}tokens": json.dumps(
            {
                "eu-west-1": {"issued-at": "2026-03-01T12:00:00.000Z", "expires-at": "2026-03-02T00:00:00.000Z"},
                "us-east-1/public": {"issued-at": "2026-03-01T13:00:00.000Z", "expires-at": "2026-03-01T15:00:00.000Z"},
            }
        ),
        f"{PREFIX}refresh-requested-at": "now",
    }
    assert content.expires_at == NOW + 3 * HOUR


def test_a_secret_that_has_answered_no_request_says_none() -> None:
    """Without a request there is no annotation of it."""
    assert f"{PREFIX}refresh-requested-at" not in published(EU).annotations()


@given(publications())
def test_what_was_written_down_is_read_back(content: SecretRecord) -> None:
    """Several scopes, times to the millisecond and the request survive a restart."""
    assert read_record(content.annotations()) == content


@given(publications())
def test_the_keys_are_those_that_would_be_written(content: SecretRecord) -> None:
    """Whoever asks only for them need not write the rest."""
    assert content.keys == content.annotations().keys()


@given(publications(), st.integers(-23, 23))
def test_times_are_written_in_utc(content: SecretRecord, offset: int) -> None:
    """A moment is the same moment whatever zone it came in."""
    zone = timezone(timedelta(hours=offset))
    moved = {
        scope_: times(issued=each.issued_at.astimezone(zone), life=each.expires_at - each.issued_at)
        for scope_, each in content.tokens.items()
    }
    elsewhere = replace(content, tokens=moved)
    assert elsewhere.annotations() == content.annotations()


@pytest.mark.parametrize("key", ["registries", "identity", "tokens"])
def test_a_missing_annotation_makes_it_unreadable(key: str) -> None:
    """Without one of them nobody knows what the Secret holds."""
    assert read_record({name: value for name, value in GOOD.items() if name != PREFIX + key}) is None


@pytest.mark.parametrize("key", ["issued-at", "expires-at"])
def test_the_headline_is_for_people(key: str) -> None:
    """What stands there is told by the tokens too, so it is not read."""
    assert read_record({**GOOD, PREFIX + key: "x"}) == published(EU, PUBLIC, refresh_requested_at="1")


@pytest.mark.parametrize(
    "tokens",
    [
        "",
        "{",
        "[" * 100_000,
        "1" * 5000,
        [],
        "null",
        {},
        7,
        {"eu-west-1": None},
        {"eu-west-1": []},
        {"eu-west-1": "x"},
        {"eu-west-1": {}},
        {"eu-west-1": {"issued-at": "2026-03-01T12:00:00Z"}},
        {"eu-west-1": {"expires-at": "2026-03-01T12:00:00Z"}},
    ],
)
def test_tokens_that_are_no_tokens_make_it_unreadable(tokens: object) -> None:
    """Whatever somebody writes there is no more than unreadable."""
    assert tampered(tokens) is None


@pytest.mark.parametrize(
    "moment",
    [
        "2026-03-01T12:00:00",
        "2026-03-01",
        "12:00",
        "yesterday",
        "",
        1772366400,
        None,
        True,
        "2026-13-01T12:00:00Z",
        "0001-01-01T00:00:00+23:00",
        "9999-12-31T23:59:59-23:00",
    ],
)
def test_a_time_that_is_none_makes_it_unreadable(moment: object) -> None:
    """Times without an offset, beyond the calendar or of another kind are no times."""
    good = "2026-03-02T00:00:00Z"
    assert of_times(moment, good) is None
    assert of_times(good, moment) is None


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("registries", ""),
        ("registries", f"{EU},docker.io"),
        ("registries", f"{EU}, {PUBLIC}"),
        ("registries", f"{EU}"),
        ("registries", f"{EU},{PUBLIC},{US}"),
        ("tokens", json.dumps({"eu-west-1": {}})),
    ],
)
def test_registries_that_do_not_match_the_tokens_make_it_unreadable(key: str, value: str) -> None:
    """Each registry has its token and each token its registry."""
    assert read_record({**GOOD, PREFIX + key: value}) is None


def test_one_token_serves_all_accounts_of_a_region() -> None:
    """Two accounts of one region are one scope."""
    content = published(EU, EU_OTHER_ACCOUNT)
    assert list(content.tokens) == [scope(EU)]
    assert read_record(content.annotations()) == content


@given(st.dictionaries(st.sampled_from(sorted(GOOD)), st.text(max_size=60)))
def test_no_annotations_at_all_break_the_reading(annotations: dict[str, str]) -> None:
    """Any text anywhere is read or is unreadable, and what is read can be written down again."""
    found = read_record({**GOOD, **annotations})
    assert found is None or found.annotations()


@pytest.mark.parametrize("public", [True, False])
def test_a_scope_is_read_back_from_its_label(*, public: bool) -> None:
    """Within one Secret the label names region and kind; the identity is said once."""
    found = TokenScope(identity=Identity(name="x"), region="us-east-1", public=public)
    assert TokenScope.from_label(found.label, found.identity) == found


def test_an_identity_reads_as_its_name() -> None:
    """In messages an identity stands by its name."""
    assert f"{CONTROLLER}" == "controller"


def test_a_registry_that_holds_another_token_is_named_by_itself() -> None:
    """Where one refuses what its neighbours have, its older token stands beside theirs, and the headline is its."""
    held = {EU: times(issued=NOW + HOUR), EU_OTHER_ACCOUNT: times(), US: times(issued=NOW + HOUR)}
    content = SecretRecord.of(held, CONTROLLER)
    found = content.annotations()
    assert list(json.loads(found[f"{PREFIX}tokens"])) == ["eu-west-1", "us-west-2", str(EU_OTHER_ACCOUNT)]
    assert found[f"{PREFIX}expires-at"] == "2026-03-02T00:00:00.000Z"
    assert content.expires_at == times().expires_at
    assert read_record(found) == content


@given(publications())
def test_the_headline_is_the_earliest_of_anything_in_it(content: SecretRecord) -> None:
    """No registry holds a token that dies earlier than the Secret says."""
    assert content.expires_at == min(use.validity.expires_at for use in content.credentials)
    assert {use.host for use in content.credentials} == set(content.registries)


@pytest.mark.parametrize("label", ["docker.io", str(US), "x.y", "public.ecr.aws"])
def test_a_token_of_a_registry_that_is_not_in_it_makes_it_unreadable(label: str) -> None:
    """A record of a host stands for a registry of the Secret and for nothing else."""
    good = {"issued-at": "2026-03-01T12:00:00Z", "expires-at": "2026-03-02T12:00:00Z"}
    assert tampered({"eu-west-1": good, label: good}) is None
