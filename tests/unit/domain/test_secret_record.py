"""The annotations of a pull Secret, from which its record is restored after a restart."""

import json
from dataclasses import replace
from datetime import timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pullkeeper.domain.ecr.credential import UNKNOWN_VALIDITY
from pullkeeper.domain.ecr.registry_host import MAX_REGISTRIES, parse
from pullkeeper.domain.iam.identity import CONTROLLER
from pullkeeper.domain.namespace.opt_in import OptIn
from pullkeeper.domain.secret.secret_record import SecretRecord, Target, read_record, read_target
from testsupport.examples import (
    EU,
    EU_OTHER_ACCOUNT,
    HOUR,
    NOW,
    PUBLIC,
    ROLE_A,
    US,
    publications,
    published,
    record_of,
    times,
)

GOOD = published(EU, PUBLIC, refresh_requested_at="1").annotations()
PREFIX = "pullkeeper.dev/"


def record_with_tokens(tokens: object) -> SecretRecord | None:
    text = tokens if isinstance(tokens, str) else json.dumps(tokens)
    only_eu = published(EU).annotations()
    return read_record({**only_eu, f"{PREFIX}tokens": text})


def record_with_times(issued: Any, expires: Any) -> SecretRecord | None:
    return record_with_tokens({"eu-west-1": {"issued-at": issued, "expires-at": expires}})


def test_annotations() -> None:
    """Issue, expiry, registries, identity, the validity of each token and the answered request, in UTC."""
    content = record_of({EU: times(), PUBLIC: times(issued=NOW + HOUR, life=2 * HOUR)}, refresh="now")
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
        f"{PREFIX}opted-in-by": "annotation",
    }
    assert content.expires_at == NOW + 3 * HOUR


def test_principal_is_recorded_where_it_is_known() -> None:
    """A Secret of before has none, and what has no known form says nothing."""
    annotations = published(EU, principal=ROLE_A).annotations()
    assert annotations[f"{PREFIX}principal"] == ROLE_A
    assert f"{PREFIX}principal" not in published(EU).annotations()
    for text in ("", "nonsense", "x" * 10_000, f"{ROLE_A}/session"):
        assert read_record({**annotations, f"{PREFIX}principal": text}) == published(EU)


def test_no_refresh_annotation_without_a_request() -> None:
    """The annotation is absent, not empty."""
    assert f"{PREFIX}refresh-requested-at" not in published(EU).annotations()


@given(publications())
def test_record_is_read_back(content: SecretRecord) -> None:
    """Several scopes, times to the millisecond and the request survive a restart."""
    assert read_record(content.annotations()) == content


@pytest.mark.parametrize("by", [*OptIn, None])
def test_who_opted_in_is_read_back(by: OptIn | None) -> None:
    """A Secret may also not say so."""
    content = replace(published(EU), opted_in_by=by)
    assert read_record(content.annotations()) == content


@pytest.mark.parametrize(("count", "readable"), [(MAX_REGISTRIES, True), (MAX_REGISTRIES + 1, False)])
def test_no_more_registries_are_read_than_may_be_asked_for(count: int, *, readable: bool) -> None:
    """The annotation is the tenant's, and may have any length."""
    hosts = [parse(f"{number:012}.dkr.ecr.eu-west-1.amazonaws.com") for number in range(count)]
    annotations = published(*hosts).annotations()
    target = Target(identities=dict.fromkeys(hosts, "controller"))
    assert read_target(annotations) == (target if readable else None)
    assert read_record(annotations) == (published(*hosts) if readable else None)


@given(publications())
def test_keys_are_those_of_the_annotations(content: SecretRecord) -> None:
    """They are available without formatting the values."""
    assert content.keys == content.annotations().keys()


@given(publications(), st.integers(-23, 23))
def test_times_are_formatted_in_utc(content: SecretRecord, offset: int) -> None:
    """The time zone of a value does not matter."""
    zone = timezone(timedelta(hours=offset))
    moved = {
        host: times(issued=each.issued_at.astimezone(zone), life=each.expires_at - each.issued_at)
        for host, each in content.held.items()
    }
    elsewhere = replace(content, held=moved)
    assert elsewhere.token_annotations() == content.token_annotations()


@pytest.mark.parametrize("key", ["registries", "identity", "tokens"])
def test_missing_annotation_makes_the_record_unreadable(key: str) -> None:
    """Each of them is needed to know what the Secret holds."""
    assert read_record({name: value for name, value in GOOD.items() if name != PREFIX + key}) is None


@pytest.mark.parametrize("key", ["issued-at", "expires-at"])
def test_summary_annotations_are_not_read(key: str) -> None:
    """Issue and expiry are for people; the tokens have them as well."""
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
def test_corrupt_tokens_make_the_record_unreadable(tokens: object) -> None:
    """Nothing that somebody may have written there raises an exception."""
    assert record_with_tokens(tokens) is None


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
def test_corrupt_times_make_the_record_unreadable(moment: object) -> None:
    """Times without an offset, outside the calendar or of another type."""
    good = "2026-03-02T00:00:00Z"
    assert record_with_times(moment, good) is None
    assert record_with_times(good, moment) is None


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
def test_registries_must_match_the_tokens(key: str, value: str) -> None:
    """Each registry needs a token, and each token a registry."""
    assert read_record({**GOOD, PREFIX + key: value}) is None


def test_token_of_a_registry_that_is_not_named_makes_the_record_unreadable() -> None:
    """Nobody knows then what the Secret is for."""
    held = {EU: times(issued=NOW + HOUR), EU_OTHER_ACCOUNT: times()}
    annotations = record_of(held).annotations()
    assert read_record(annotations) is not None
    assert read_record({**annotations, f"{PREFIX}registries": str(EU)}) is None


def test_accounts_of_a_region_share_a_token() -> None:
    """Two accounts of one region are one scope."""
    content = published(EU, EU_OTHER_ACCOUNT)
    assert list(content.tokens) == ["eu-west-1"]
    assert read_record(content.annotations()) == content


@given(st.dictionaries(st.sampled_from(sorted(GOOD)), st.text(max_size=60)))
def test_any_annotations_can_be_parsed(annotations: dict[str, str]) -> None:
    """Any text gives a record or None, and a record can be written again."""
    found = read_record({**GOOD, **annotations})
    assert found is None or found.annotations()


@pytest.mark.parametrize(
    ("issued", "expires"),
    [
        ("2026-03-01T12:00:00Z", "2126-03-01T12:00:00Z"),
        ("2026-03-01T12:00:00Z", "2026-03-02T02:00:00Z"),
        ("9999-01-01T00:00:00Z", "0001-01-01T00:00:00Z"),
        ("2026-03-01T12:00:00Z", "2026-03-01T12:00:00Z"),
    ],
)
def test_times_that_cannot_be_true_make_the_record_unreadable(issued: str, expires: str) -> None:
    """ECR's tokens live for 12 hours: a Secret that claims another life is not relied on."""
    assert record_with_times(issued, expires) is None


def test_entries_of_unknown_age_are_read_back() -> None:
    """They are expired, and so replaced at once."""
    content = record_of({EU: UNKNOWN_VALIDITY})
    assert read_record(content.annotations()) == content


def test_endpoint_variants_are_tokens_of_their_own() -> None:
    """A FIPS or dual-stack host has a token from its own endpoint."""
    forms = ["dkr.ecr.us-east-1.amazonaws.com", "dkr.ecr-fips.us-east-1.amazonaws.com"]
    forms += ["dkr-ecr.us-east-1.on.aws", "dkr-ecr-fips.us-east-1.on.aws"]
    content = published(*(parse(f"123456789012.{form}") for form in forms))
    kinds = ["us-east-1", "us-east-1/dual-stack", "us-east-1/fips", "us-east-1/fips/dual-stack"]
    assert sorted(content.tokens) == kinds
    assert read_record(content.annotations()) == content


def test_identity_is_shown_by_name() -> None:
    """In messages an identity appears by its name."""
    assert f"{CONTROLLER}" == "controller"


def test_other_token_is_recorded_per_registry() -> None:
    """A registry that refused the new token keeps its older one, which determines the expiry of the Secret."""
    held = {EU: times(issued=NOW + HOUR), EU_OTHER_ACCOUNT: times(), US: times(issued=NOW + HOUR)}
    content = record_of(held)
    found = content.annotations()
    assert list(json.loads(found[f"{PREFIX}tokens"])) == ["eu-west-1", "us-west-2", str(EU_OTHER_ACCOUNT)]
    assert found[f"{PREFIX}expires-at"] == "2026-03-02T00:00:00.000Z"
    assert content.expires_at == times().expires_at
    assert read_record(found) == content


@given(publications())
def test_expiry_is_the_earliest(content: SecretRecord) -> None:
    """No registry holds a token that expires before the Secret says."""
    assert content.expires_at == min(content.held[host].expires_at for host in content.registries)


@pytest.mark.parametrize("label", ["docker.io", str(US), "x.y", "public.ecr.aws"])
def test_token_of_an_unlisted_registry_makes_the_record_unreadable(label: str) -> None:
    """A validity per registry must belong to a registry of the Secret."""
    good = {"issued-at": "2026-03-01T12:00:00Z", "expires-at": "2026-03-02T12:00:00Z"}
    assert record_with_tokens({"eu-west-1": good, label: good}) is None
