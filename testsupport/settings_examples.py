"""Settings documents as operators write them, with and without mistakes."""

from typing import Any

from hypothesis import strategies as st

from testsupport import annotation_examples, wild_text

_names = st.lists(st.sampled_from(["*", "team-*", "team-a", "A", "", "a" * 254]), max_size=3)
_selector = st.fixed_dictionaries(
    {},
    optional={
        "matchLabels": st.dictionaries(wild_text.text, wild_text.text, max_size=2),
        "matchExpressions": st.lists(
            st.fixed_dictionaries(
                {"key": wild_text.text, "operator": st.sampled_from(["In", "NotIn", "Exists", "DoesNotExist", "in"])},
                optional={"values": st.lists(wild_text.text, max_size=2)},
            ),
            max_size=2,
        ),
    },
)
_matcher = {"namespaces": _names, "namespaceSelector": _selector}
_grant = {**_matcher, "registries": st.lists(annotation_examples.any_host, max_size=2)}
_roles = st.lists(
    st.fixed_dictionaries(
        {"role": annotation_examples.any_arn},
        optional={
            **_grant,
            "externalId": wild_text.text,
            "sessionTags": st.booleans(),
            "sourceIdentity": st.booleans(),
        },
    ),
    max_size=3,
)
_durations = st.sampled_from(["1s", "10s", "5m", "1h30m", "12h", "24h", "90", "1d", "", "h", "-1h", "9" * 400 + "h"])
_flags = st.sampled_from([True, False, "true", "no"])
_whole = st.one_of(st.integers(0, 300), st.sampled_from(["8", "٨", 1e300, -1, 10**400]))
_usual: dict[str, st.SearchStrategy[Any]] = {
    "secretName": st.sampled_from(["ecr-pull-secret", "a.b", "A", "", "a" * 254]),
    "registries": st.lists(annotation_examples.any_host, max_size=4),
    "clusterName": st.sampled_from(["blue", "a" * 41, "", "é"]),
    "excludedNamespaces": _names,
    "watchNamespaces": _names,
    "watchedServiceAccounts": _names,
    "serviceAccountAttachment": _flags,
    "attachToServiceAccounts": _names,
    "refreshFraction": st.one_of(st.floats(), st.sampled_from([0.5, "0.5", "nan", "inf"])),
    "refreshJitter": _durations,
    "maxTokenAge": _durations,
    "optOutGrace": _durations,
    "maxConcurrentReconciles": _whole,
    "podInjection": _flags,
    "roles": _roles,
    "controllerIdentity": st.fixed_dictionaries({}, optional=_grant),
    "serviceAccountIdentity": st.fixed_dictionaries(
        {},
        optional={
            **_grant,
            "audiences": st.lists(st.sampled_from(["sts.amazonaws.com", "kubernetes.default.svc", ""]), max_size=2),
        },
    ),
    "optIn": st.fixed_dictionaries({}, optional={**_matcher, "exclude": _names}),
    "rolesAnywhere": wild_text.json_values,
}


def documents() -> st.SearchStrategy[Any]:
    """Draw documents: mostly known keys, mostly with values of their form, at times with anything anywhere."""
    known = st.fixed_dictionaries({}, optional=_usual)
    unknown = st.dictionaries(
        st.one_of(wild_text.any_text, st.integers(), st.none()), wild_text.json_values, max_size=2
    )
    together = st.builds(lambda some, more: {**more, **some}, known, st.one_of(st.just({}), unknown))
    return wild_text.damaged(together)
