"""The class of a namespace: which of several installations acts for it, and what it says where it may not act."""

from dataclasses import replace
from datetime import timedelta

import pytest

from pullkeeper.domain.config.injection import Injection, injection
from pullkeeper.domain.config.policy import EVERY_NAMESPACE, Policy
from pullkeeper.domain.ecr.rotation import Rotation
from pullkeeper.domain.errors.validation import InvalidInputError
from pullkeeper.domain.namespace.annotations import KNOWN
from pullkeeper.domain.namespace.installation_class import class_of, described
from pullkeeper.domain.namespace.namespace import ObservedNamespace
from pullkeeper.domain.secret.judgement import Judgement, judge
from pullkeeper.domain.secret.left_secret import delete_left_at
from pullkeeper.domain.secret.observed_secret import ObservedSecret
from pullkeeper.domain.secret.plan import Apply, Cause, NoOp, fallback_state, plan
from testsupport.examples import EU, FOREIGN, HOUR, NOW, US, managed, published, record_of, times, wanted

INVALID = ("-", "a-", ".a", "a b", "Ä", "a/b", "a\n", " canary", "a" * 64)
OTHERS = Judgement(of_another_class=True)


def of_class(name: str) -> Policy:
    return Policy(installation_class=name, registries=(EU,), opt_in=EVERY_NAMESPACE, pod_injection=True)


def namespace(named: str | None = None, **annotations: str) -> ObservedNamespace:
    given = annotations | ({} if named is None else {"class": named})
    return ObservedNamespace(name="team-a", resource_version=1, annotations=given)


def kept_by(name: str) -> ObservedSecret:
    return managed(replace(published(EU), installation_class=name))


@pytest.mark.parametrize(("named", "found"), [(None, ""), ("", ""), ("Canary_1.x", "Canary_1.x"), ("a" * 63, "a" * 63)])
def test_a_class_is_what_a_label_could_be(named: str | None, found: str) -> None:
    """A namespace that names none is of the default class."""
    assert class_of(namespace(named).annotations) == found


@pytest.mark.parametrize("named", INVALID)
def test_an_invalid_class_is_none(named: str) -> None:
    """It is no class of anybody's, and one problem of the namespace."""
    assert class_of({"class": named}) is None
    error = judge(namespace(named), None, of_class("")).error
    assert isinstance(error, InvalidInputError)
    assert [problem.where for problem in error.problems] == ["pullkeeper.dev/class"]


@pytest.mark.parametrize(("named", "own"), [(None, "canary"), ("", "canary"), ("canary", ""), ("canary", "Canary")])
@pytest.mark.parametrize("enabled", ["true", "false", "yes"])
@pytest.mark.parametrize("secret", [None, kept_by(""), kept_by("canary"), kept_by("Canary"), FOREIGN])
def test_an_installation_leaves_other_classes_alone(
    named: str | None, own: str, enabled: str, secret: ObservedSecret | None
) -> None:
    """Whatever they ask for, and whatever their Secret says: nothing is desired, reported or lost."""
    asking = namespace(named, enabled=enabled)
    assert judge(asking, secret, of_class(own)) == OTHERS
    assert judge(namespace(named), secret, of_class(own)) == OTHERS
    assert not of_class(own).applies_to(asking)
    assert injection(asking, of_class(own)) is Injection.OTHER_CLASS


@pytest.mark.parametrize(("named", "own"), [(None, ""), ("", ""), ("canary", "canary")])
def test_an_installation_acts_for_its_class(named: str | None, own: str) -> None:
    """By annotation and by its settings; the Secret will say whose it is."""
    again = {"enabled": "true", "refresh-requested-at": "1"}
    for asking in (namespace(named, enabled="true"), namespace(named), namespace(named, **again)):
        desired = judge(asking, kept_by("another"), of_class(own)).desired
        assert desired is not None
        assert desired.installation_class == own
        assert of_class(own).applies_to(asking)
        assert injection(asking, of_class(own)) is Injection.INJECTED


def test_the_class_alone_opts_nobody_in() -> None:
    """It says who would act."""
    assert judge(namespace("canary"), None, replace(of_class("canary"), opt_in=Policy().opt_in)) == Judgement()


@pytest.mark.parametrize("own", ["", "canary"])
def test_an_invalid_class_is_reported_by_whoever_keeps_the_secret(own: str) -> None:
    """Without one by each installation: any could be meant. New pods get the Secret as before."""
    asking = namespace("ca nary", enabled="true")
    assert judge(asking, None, of_class(own)).error
    assert judge(asking, FOREIGN, of_class(own)).error
    assert judge(asking, kept_by(own), of_class(own)).error
    assert judge(asking, kept_by("another"), of_class(own)) == OTHERS
    assert injection(asking, of_class(own)) is Injection.INJECTED


@pytest.mark.parametrize("own", ["", "canary"])
def test_a_secret_is_kept_up_while_the_class_is_invalid(own: str) -> None:
    """After a restart as well, by the installation whose Secret it says it is."""
    asking, secret = namespace("ca nary", enabled="true"), kept_by(own)
    remembered = wanted(EU, US)
    lost = fallback_state(asking, secret, of_class(own), None)
    kept = fallback_state(asking, secret, of_class(own), remembered)
    assert lost == replace(wanted(EU), installation_class=own)
    assert kept == replace(remembered, installation_class=own)


def test_a_fresh_secret_of_another_class_is_taken_over_at_once() -> None:
    """In place, so that it says whose it is; then there is nothing more to do."""
    for before, after in (("", "canary"), ("canary", "")):
        desired = replace(wanted(EU), installation_class=after)
        secret = kept_by(before)
        found = plan(namespace=namespace(), desired=desired, secret=secret, now=NOW, rotation=Rotation())
        assert found == Apply(cause=Cause.CHANGED, desired=desired, secret=secret)
        done = plan(namespace=namespace(), desired=desired, secret=kept_by(after), now=NOW, rotation=Rotation())
        assert isinstance(done, NoOp)


def test_what_is_left_goes_when_its_last_token_has_expired() -> None:
    """Pods may need it until then; an opt-out needs it no longer."""
    secret = replace(
        managed(record_of({EU: times(), US: times(issued=NOW + HOUR)})), written_by="pullkeeper-system/pullkeeper"
    )
    asked = namespace("canary", enabled="true")
    assert delete_left_at(asked, secret, "pullkeeper-system/pullkeeper") == NOW + 13 * HOUR
    out = delete_left_at(namespace("canary", enabled="false"), secret, "pullkeeper-system/pullkeeper")
    assert out is not None
    assert out < NOW - timedelta(days=365)


@pytest.mark.parametrize("enabled", ["true", "false"])
def test_nothing_else_is_deleted_in_a_namespace_of_another_class(enabled: str) -> None:
    """Neither what another installation has written, nor what does not say when it expires or whose it is."""
    asked, own = namespace("canary", enabled=enabled), replace(kept_by(""), written_by="a/b")
    spared = [
        None,
        FOREIGN,
        replace(FOREIGN, written_by="a/b"),
        replace(own, written_by="a/c"),
        replace(own, written=False),
    ]
    spared += [replace(own, written_by="")]
    spared += [] if enabled == "false" else [replace(own, record=None)]
    assert [delete_left_at(asked, each, "a/b") for each in spared] == [None] * len(spared)


def test_a_class_is_called_by_its_name() -> None:
    """The default one has none."""
    assert [described(name) for name in ("", "canary")] == ["the default class", "the class canary"]
    assert "class" in KNOWN
