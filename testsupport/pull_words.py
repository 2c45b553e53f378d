"""What kubelets write into the status of a container that waits for its image, in the words of each runtime.

The forms are those of containerd, CRI-O and cri-dockerd as people report them in public issues; the registry's own
part is from the ECR user guide's page on errors of Docker commands.
"""

from collections.abc import Mapping

HOST = "123456789012.dkr.ecr.eu-west-1.amazonaws.com"
IMAGE = f"{HOST}/shop/web:v1"
_URL = f"https://{HOST}/v2/shop/web/manifests/v1"


def containerd(image: str, why: str, code: str = "Unknown") -> str:
    """Return the words of containerd for an image that it cannot resolve."""
    return (
        f'rpc error: code = {code} desc = failed to pull and unpack image "{image}": '
        f'failed to resolve reference "{image}": {why}'
    )


def docker(why: str) -> str:
    """Return the words of cri-dockerd."""
    return f"rpc error: code = Unknown desc = Error response from daemon: {why}"


def crio(image: str, why: str) -> str:
    """Return the words of CRI-O."""
    host, _, path = image.partition("/")
    name, _, tag = path.partition(":")
    return (
        f"rpc error: code = Unknown desc = initializing source docker://{image}: reading manifest {tag} in "
        f"{host}/{name}: {why}"
    )


def backing_off(image: str, words: str) -> str:
    """Return the words of a kubelet since 1.33 that repeats the reason while it backs off."""
    return f'Back-off pulling image "{image}": ErrImagePull: {words}'


NO_CREDENTIALS = containerd(
    IMAGE,
    "pull access denied, repository does not exist or may require authorization: authorization failed: no basic auth "
    "credentials",
)
FORBIDDEN = containerd(IMAGE, f"unexpected status from HEAD request to {_URL}: 403 Forbidden")
BAD_REQUEST = containerd(IMAGE, f"unexpected status from HEAD request to {_URL}: 400 Bad Request")
NOT_FOUND = containerd(IMAGE, f"{IMAGE}: not found", code="NotFound")
THROTTLED = containerd(IMAGE, f"unexpected status from HEAD request to {_URL}: 429 Too Many Requests")
UNREACHABLE = containerd(
    IMAGE, f'failed to do request: Head "{_URL}": dial tcp: lookup {HOST} on 10.0.0.2:53: no such host'
)
PLATFORM = (
    f'rpc error: code = NotFound desc = failed to pull and unpack image "{IMAGE}": no match for platform in manifest: '
    "not found"
)
LAYERS_DENIED = (
    f'rpc error: code = Unknown desc = failed to pull and unpack image "{IMAGE}": failed to copy: httpReadSeeker: '
    "failed open: unexpected status code https://prod-eu-west-1-starport-layer-bucket.s3.eu-west-1.amazonaws.com/"
    "77a5-123456789012/layer?X-Amz-Expires=3600: 403 Forbidden"
)
NOT_AUTHORIZED = docker(
    "pull access denied for shop/web, repository does not exist or may require 'docker login': denied: User: "
    "arn:aws:sts::123456789012:assumed-role/pull/s is not authorized to perform: ecr:BatchGetImage on resource: "
    "arn:aws:ecr:eu-west-1:123456789012:repository/shop/web because no resource-based policy allows the "
    "ecr:BatchGetImage action"
)

SAID: Mapping[str, tuple[str, ...]] = {
    "layers-denied": (LAYERS_DENIED,),
    "platform": (
        PLATFORM,
        docker("no matching manifest for linux/arm64/v8 in the manifest list entries"),
        (
            "rpc error: code = Unknown desc = choosing an image from manifest list docker://x: no image found in image "
            'index for architecture "arm64", variant "v8", OS "linux"'
        ),
    ),
    "node-limit": ("pull QPS exceeded",),
    "throttled": (THROTTLED, docker("toomanyrequests: Rate exceeded"), crio(IMAGE, "toomanyrequests: Rate exceeded")),
    "expired": (docker("denied: Your authorization token has expired. Reauthenticate and try again."),),
    "not-authorized": (NOT_AUTHORIZED,),
    "unreachable": (
        UNREACHABLE,
        docker(f'Get "https://{HOST}/v2/": net/http: TLS handshake timeout'),
        docker(f'Get "https://{HOST}/v2/": x509: certificate signed by unknown authority'),
        containerd(IMAGE, f"unexpected status from HEAD request to {_URL}: 503 Service Unavailable"),
        containerd(IMAGE, f'failed to do request: Head "{_URL}": proxyconnect tcp: Forbidden'),
    ),
    "no-credentials": (
        NO_CREDENTIALS,
        docker(f"Get https://{HOST}/v2/shop/web/manifests/v1: no basic auth credentials"),
        containerd(IMAGE, f"unexpected status from HEAD request to {_URL}: 401 Unauthorized"),
        crio(IMAGE, "unauthorized: authentication required"),
    ),
    "bad-request": (BAD_REQUEST,),
    "forbidden": (FORBIDDEN, docker("denied: requested access to the resource is denied")),
    "repository-missing": (
        docker(
            f"repository {HOST}/shop/web not found: name unknown: The repository with name 'shop/web' does not exist "
            "in the registry with id '123456789012'"
        ),
        crio(IMAGE, "name unknown: The repository with name 'shop/web' does not exist in the registry"),
    ),
    "tag-missing": (
        docker(f"manifest for {IMAGE} not found: manifest unknown: Requested image not found"),
        crio(IMAGE, "manifest unknown: Requested image not found"),
    ),
    "image-missing": (NOT_FOUND, containerd(IMAGE, f"{IMAGE}: not found")),
    "unknown": ("", "rpc error: code = Unknown desc = no space left on device"),
}
"""Words by what they say for certain."""
