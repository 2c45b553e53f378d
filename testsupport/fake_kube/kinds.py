"""The schemas of the kinds that are served, as far as ownership and decoding tell them apart."""

from testsupport.fake_kube.schema import KeyedList, Leaf, Map, Node, SetList, Struct

STRING, INT, BOOL, BYTES = Leaf("string"), Leaf("int"), Leaf("bool"), Leaf("bytes")
STRING_POINTER = Leaf("string pointer")
TIME, MICRO, ANY = Leaf("time"), Leaf("micro"), Leaf()
ATOMIC_LIST, ATOMIC_OBJECT = Leaf("list"), Leaf("object")

METADATA = Struct(
    {
        "name": STRING,
        "generateName": STRING,
        "namespace": STRING,
        "selfLink": STRING,
        "uid": STRING,
        "resourceVersion": STRING,
        "generation": INT,
        "creationTimestamp": TIME,
        "deletionTimestamp": TIME,
        "deletionGracePeriodSeconds": INT,
        "labels": Map(STRING),
        "annotations": Map(STRING),
        "ownerReferences": KeyedList(("uid",)),
        "finalizers": SetList(),
        "managedFields": Leaf("managed fields"),
    }
)


def kind(**fields: Node) -> Struct:
    """Give a whole object's schema, from what it has beside type and metadata."""
    return Struct({"kind": STRING, "apiVersion": STRING, "metadata": METADATA, **fields})


NAMESPACE = kind(
    spec=Struct({"finalizers": ATOMIC_LIST}),
    status=Struct({"phase": STRING, "conditions": KeyedList(("type",))}),
)
SECRET = kind(immutable=BOOL, data=Map(BYTES), stringData=Map(STRING), type=STRING)
CONFIG_MAP = kind(immutable=BOOL, data=Map(STRING), binaryData=Map(BYTES))
SERVICE_ACCOUNT = kind(
    secrets=KeyedList(("name",)),
    imagePullSecrets=ATOMIC_LIST,
    automountServiceAccountToken=BOOL,
)
LEASE = kind(
    spec=Struct(
        {
            "holderIdentity": STRING_POINTER,
            "leaseDurationSeconds": INT,
            "acquireTime": MICRO,
            "renewTime": MICRO,
            "leaseTransitions": INT,
            "strategy": STRING_POINTER,
            "preferredHolder": STRING_POINTER,
        }
    )
)
SOURCE = Struct({"component": STRING, "host": STRING})
SERIES = Struct({"count": INT, "lastObservedTime": MICRO}, pointer=True)
CORE_EVENT = kind(
    involvedObject=ATOMIC_OBJECT,
    reason=STRING,
    message=STRING,
    source=SOURCE,
    firstTimestamp=TIME,
    lastTimestamp=TIME,
    count=INT,
    type=STRING,
    eventTime=MICRO,
    series=SERIES,
    action=STRING,
    related=ATOMIC_OBJECT,
    reportingComponent=STRING,
    reportingInstance=STRING,
)
EVENT = kind(
    eventTime=MICRO,
    series=SERIES,
    reportingController=STRING,
    reportingInstance=STRING,
    action=STRING,
    reason=STRING,
    regarding=ATOMIC_OBJECT,
    related=ATOMIC_OBJECT,
    note=STRING,
    type=STRING,
    deprecatedSource=SOURCE,
    deprecatedFirstTimestamp=TIME,
    deprecatedLastTimestamp=TIME,
    deprecatedCount=INT,
)
ROLE = kind(rules=ATOMIC_LIST)
CLUSTER_ROLE = kind(rules=ATOMIC_LIST, aggregationRule=Struct({"clusterRoleSelectors": ATOMIC_LIST}, pointer=True))
BINDING = kind(subjects=ATOMIC_LIST, roleRef=ATOMIC_OBJECT)
OPAQUE = kind(spec=ATOMIC_OBJECT, status=ATOMIC_OBJECT)
"""For what is only stored (pods, deployments): ownership stops at spec and status."""
