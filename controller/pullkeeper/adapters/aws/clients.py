"""botocore's sessions and clients."""

import threading
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import botocore.session
from botocore import UNSIGNED
from botocore.config import Config
from botocore.credentials import AssumeRoleProvider, InstanceMetadataProvider, ProcessProvider
from botocore.credentials import Credentials as BotocoreCredentials
from botocore.exceptions import BotoCoreError

from pullkeeper.adapters.aws import instance_metadata, missing_credentials
from pullkeeper.adapters.aws.calls import note_request
from pullkeeper.adapters.aws.configured_principal import configured_principal
from pullkeeper.adapters.aws.credential_process import CredentialProcess
from pullkeeper.domain.errors.failures import FailureError

CLIENT_CONFIG = Config(
    connect_timeout=3,
    read_timeout=5,
    retries={"mode": "standard", "total_max_attempts": 3},
    max_pool_connections=4,
    # "auto" would ask the instance metadata service while a client is made.
    defaults_mode="legacy",  # type: ignore[arg-type] # a name; the stubs take it for a flag
)
_AFTER_PROCESS = "config-file"
"""What botocore tries after credential_process."""

RecordRequest = Callable[[str, str, int], None]
"""Records one attempt of a request: service, operation, status code (0: no response). Called from threads."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Keys:
    """The credentials of one identity."""

    access_key_id: str
    secret_access_key: str = field(repr=False)
    session_token: str | None = field(default=None, repr=False)
    expires_at: datetime | None = None
    """When they expire; None where botocore knows, or nobody."""
    holder: str = ""
    """Whose they are, for messages."""
    principal: str = ""
    """The principal behind them, where the identity's name does not say it; "" where it is not known."""
    sts_region: str = ""
    """Where STS can be asked about them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CredentialSource:
    """Where the controller's credentials come from."""

    method: str
    """botocore's name for it."""
    principal: str
    """The principal, as far as the configuration says; "" if it does not."""
    detail: str = ""
    """What else is to be known of it."""


class Clients:
    """Makes clients with credentials that are given: this resolves none, so it waits for nobody.

    Thread-safe: clients may be shared between threads, but botocore's sessions need the lock.
    """

    def __init__(self, record_request: RecordRequest) -> None:
        self._record_request = record_request
        self._lock = threading.Lock()
        self._session: botocore.session.Session | None = None

    def create(self, service: str, region: str, keys: Keys | None, config: Config | None = None) -> Any:  # a client
        """Return a new client, unsigned without keys; the caller closes it.

        It is not cached: each set of keys is used a few times at most, and a client takes about 0.4 MB.
        """
        config = CLIENT_CONFIG.merge(config) if config else CLIENT_CONFIG
        with self._lock:
            self._session = self._session or new_session(self._record_request)
            if keys is None:
                unsigned = config.merge(Config(signature_version=UNSIGNED))
                return self._session.create_client(service, region_name=region, config=unsigned)
            return self._session.create_client(
                service,
                region_name=region,
                config=config,
                aws_access_key_id=keys.access_key_id,
                aws_secret_access_key=keys.secret_access_key,
                aws_session_token=keys.session_token,
            )


def new_session(record_request: RecordRequest, *, profile: str | None = None) -> botocore.session.Session:
    """Return a session that records its requests, botocore's own for credentials included."""
    session = botocore.session.Session(profile=profile)
    # The STS client that botocore creates internally for web identity uses only the default configuration.
    session.set_default_client_config(CLIENT_CONFIG)

    def note(**event: Any) -> None:
        note_request(event["event_name"].split(".")[1], event["request"].url)

    def record(**event: Any) -> None:
        """Record one attempt, including botocore's own retries and its calls for credentials."""
        service, operation = event["event_name"].split(".")[1:3]
        response = event["response_dict"]
        record_request(service, operation, response["status_code"] if response else 0)

    session.register("before-send", note)
    session.register("response-received", record)
    return session


def profile_region(profile: str | None = None) -> str | None:
    """Return the region of the shared profile; what is wrong with the profile is reported with the credentials.

    That of a profile which is named does not come from the environment.
    """
    try:
        session = botocore.session.Session(profile=profile)
        region = session.get_scoped_config().get("region") if profile else session.get_config_variable("region")
    except BotoCoreError:
        return None
    return str(region) if region else None


class ControllerSession:
    """The source of the controller's credentials. It may hang, and is given up as a whole then."""

    def __init__(
        self,
        region: str,
        record_request: RecordRequest,
        *,
        allow_node_instance_role: bool,
        profile: str | None = None,
        prepare: Callable[[botocore.session.Session], None] | None = None,
        principal: str = "",
    ) -> None:
        """`prepare` changes where the session looks for credentials; `principal` is theirs, if that is known."""
        self._allow_node_instance_role = allow_node_instance_role
        self._principal = principal
        self._session = new_session(record_request, profile=profile)
        # The nested STS client of web identity is made in the session's region.
        self._session.set_config_variable("region", region)
        self._bound_process()
        if prepare:
            prepare(self._session)
        self._stamp = self._read_stamp()

    def is_current(self) -> bool:
        """Whether the files of profiles and keys are still those that it has read, once and for all."""
        return self._stamp == self._read_stamp()

    def source(self) -> CredentialSource:
        """Return where the credentials come from; this asks no API of AWS. Raises as `keys` does."""
        credentials = self._credentials()
        return CredentialSource(method=str(credentials.method), principal=self._principal_of(credentials))

    def keys(self) -> Keys:
        """Return valid keys; raise what botocore raises, or FailureError for the node's role, its silent fallback."""
        credentials = self._credentials()
        frozen = credentials.get_frozen_credentials()
        return Keys(
            access_key_id=frozen.access_key or "",
            secret_access_key=frozen.secret_key or "",
            session_token=frozen.token,
            principal=self._principal_of(credentials),
        )

    def _principal_of(self, credentials: BotocoreCredentials) -> str:
        return self._principal or configured_principal(self._session, credentials)

    def _credentials(self) -> BotocoreCredentials:
        credentials = self._session.get_credentials()
        if credentials is None:
            raise missing_credentials.why(self._session, allow_node_instance_role=self._allow_node_instance_role)
        if credentials.method == InstanceMetadataProvider.METHOD and not self._may_use_metadata():
            raise FailureError(instance_metadata.node_role_failure())
        return credentials

    def _may_use_metadata(self) -> bool:
        return self._allow_node_instance_role or instance_metadata.is_private(self._session)

    def _read_stamp(self) -> tuple[Hashable, ...]:
        names = (self._session.get_config_variable(name) for name in ("credentials_file", "config_file"))
        return tuple(_stamp(str(name)) for name in names)

    def _bound_process(self) -> None:
        """Let every credential_process be started by CredentialProcess, that of a source_profile included."""
        resolver = self._session.get_component("credential_provider")
        resolver.remove(ProcessProvider.METHOD)
        profile = self._session.get_config_variable("profile") or "default"
        resolver.insert_before(_AFTER_PROCESS, self._process_provider(profile))
        roles = resolver.get_provider(AssumeRoleProvider.METHOD)
        roles._profile_provider_builder._create_process_provider = self._process_provider  # noqa: SLF001 -- no other way

    def _process_provider(self, profile: str) -> ProcessProvider:
        return ProcessProvider(
            profile_name=profile, load_config=lambda: self._session.full_config, popen=CredentialProcess
        )


def _stamp(path: str) -> Hashable:
    """Return what changes with a file, which may be a symbolic link that the kubelet redirects."""
    try:
        found = Path(path).expanduser().stat()
    except (OSError, RuntimeError, ValueError):  # no such file, no home, no path: botocore says what is wrong with it
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
