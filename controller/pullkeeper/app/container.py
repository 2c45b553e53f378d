"""The object graph of one controller: what it is made of, and which part knows which."""

from collections.abc import Callable, Coroutine, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, TypeVar

from pullkeeper.adapters.kubernetes.events import EventRecorder
from pullkeeper.adapters.kubernetes.lease import LeaseClient
from pullkeeper.adapters.kubernetes.listing import find_namespace, list_namespaces, read_namespace
from pullkeeper.adapters.kubernetes.pull_secrets import PullSecretClient
from pullkeeper.adapters.kubernetes.reflector import (
    EventHandler,
    ListWatch,
    Reflector,
    namespace_list_watch,
    roles_list_watch,
    secrets_list_watch,
    service_accounts_list_watch,
)
from pullkeeper.adapters.kubernetes.service_accounts import ServiceAccountClient, ServiceAccountTokens
from pullkeeper.app.adapters import Adapters, NamespaceWatch
from pullkeeper.app.config_loader import Config, parse, where_of
from pullkeeper.app.health import Liveness, Readiness
from pullkeeper.app.policy_reloader import CurrentPolicy, PolicyReloader
from pullkeeper.domain.config.additional_secrets import AdditionalSecret
from pullkeeper.domain.namespace.namespace import observe_namespace
from pullkeeper.domain.namespace.service_account_names import ALL
from pullkeeper.domain.secret.observed_secret import ObservedSecret, observe
from pullkeeper.domain.secret.service_account_patch import ObservedServiceAccount, observe_role, observe_service_account
from pullkeeper.domain.secret.shapes import DockerConfig, SecretShape, shape_of
from pullkeeper.reconcile.additional_secrets import (
    Additional,
    AdditionalDesiredStates,
    AdditionalReports,
    SecretsReconciler,
)
from pullkeeper.reconcile.cached_kinds import namespace_cache, recalling, secret_cache, service_account_cache
from pullkeeper.reconcile.caches import CacheReports, ResourceCache
from pullkeeper.reconcile.cluster_history import ClusterHistory
from pullkeeper.reconcile.controller_principal import ControllerPrincipal
from pullkeeper.reconcile.desired_states import DesiredStates
from pullkeeper.reconcile.identities import Identities
from pullkeeper.reconcile.leader_elector import LeaderElector, NoElection
from pullkeeper.reconcile.namespace_records import NamespaceRecords
from pullkeeper.reconcile.namespace_relister import NamespaceRelister
from pullkeeper.reconcile.namespace_view import NamespaceView
from pullkeeper.reconcile.pending_opt_outs import PendingOptOuts
from pullkeeper.reconcile.reconciler import Desired, Reconciler, Reports
from pullkeeper.reconcile.service_account_poller import ServiceAccountPoller
from pullkeeper.reconcile.service_account_reconciler import ServiceAccountReconciler
from pullkeeper.reconcile.status_reporter import StatusReporter
from pullkeeper.reconcile.watched_roles import WatchedRoles, role_caches
from pullkeeper.reconcile.work_queue import WorkQueue
from pullkeeper.reconcile.worker import Worker
from pullkeeper.tokens.token_cache import TokenCache
from pullkeeper.tokens.token_revalidator import TokenRevalidator
from pullkeeper.tokens.token_verifier import TokenVerifier, UnverifiedTokens

_T = TypeVar("_T")


class Runnable(Protocol):
    """Something that runs until it is cancelled or has nothing left to do."""

    async def run(self) -> None:
        """Run."""


@dataclass(frozen=True, slots=True)
class RunnableFunc:
    """A Runnable made of a coroutine function."""

    run: Callable[[], Coroutine[Any, Any, None]]


def _nothing(*_: object) -> None:
    return None


class Container:
    """Builds everything in order of dependency; a feature that is off is not built. Nothing runs yet.

    The Manager starts `runnables` first, `runnables_after_sync` once `secrets_listed` returns, and `leader_runnables`
    whenever this replica leads.
    """

    def __init__(self, config: Config, adapters: Adapters) -> None:
        """Raise OSError if `registryCaFile` cannot be read."""
        self._settings = settings = config.settings
        self._adapters = adapters
        clock, metrics, secret_name = adapters.clock, adapters.metrics, settings.secret_name
        self.queue = WorkQueue(clock=clock, max_concurrent=settings.max_concurrent_reconciles)
        self.policy = CurrentPolicy(settings.policy)
        self.liveness = Liveness(metrics, clock=clock)
        self.history = ClusterHistory(metrics.record_history_reset)
        self.leader_elector = self._leader_elector()
        self._gated_client = gated = adapters.kube_client.leader_gated(self.leader_elector.is_leader)
        self._account_tokens = ServiceAccountTokens(adapters.kube_client)
        self.pull_secrets = PullSecretClient(
            gated, shape=DockerConfig(name=secret_name), installation=settings.installation
        )
        self.events = EventRecorder(
            gated,
            secret_name=secret_name,
            instance=adapters.instance,
            clock=clock,
            record_dropped=metrics.record_event_dropped,
        )
        self.records = NamespaceRecords(applies_to=self.policy.applies_to, clock=clock)
        self.status_reporter = StatusReporter(self.events, metrics, records=self.records, clock=clock)
        self._reports = CacheReports(
            record_differences=metrics.record_cache_differences, on_went_back=self.history.went_back
        )
        self.namespaces = namespace_cache(self.queue.add_changed, self.records, self._reports)
        self.secrets = secret_cache(self.queue.add_changed, self._reports)
        self.additional_secrets = {
            each: secret_cache(self.queue.add_changed, self._reports, on_synced=self.namespaces.enqueue_all)
            for each in settings.additional_secrets
        }
        self.service_accounts = self._service_account_cache()
        self.roles = role_caches(settings.watched_names, self.namespaces, self.queue.add_changed, self._reports)
        self.watched_roles = WatchedRoles({ALL: self.service_accounts} if self.service_accounts else self.roles)
        self.policy_reloader = self._policy_reloader(config)
        self.namespace_relister = self._namespace_relister()
        self.namespace_watch = self._namespace_watch()
        self._reflectors = tuple(self._all_reflectors())
        self.token_cache = self._token_cache()
        self.token_verifier = self._token_verifier()
        self.pending_opt_outs = self._pending_opt_outs()
        self.principal = self._controller_principal()
        self.identities = self._identities()
        self.desired_states = self._desired_states()
        self.reconciler = self._reconciler()
        self.worker = self._worker()
        metrics.set_workqueue_depth(self.worker.depth)
        metrics.set_pending_opt_outs(self.pending_opt_outs.count)
        self.runnables: tuple[Runnable, ...] = (
            self._http_server(),
            self.events,
            self.status_reporter,
            *self._reflectors,
        )
        self.runnables_after_sync = tuple(self._runnables_after_sync())
        self.leader_runnables: tuple[Runnable, ...] = (
            self.worker,
            self._service_account_poller(),
            *self._token_revalidator(),
        )
        self._observe_history()

    def _observe_history(self) -> None:
        """Have everything observed anew when versions go back: first the caches, then who fills them."""
        self.history.add(self.leader_elector.forget_version)
        self.history.add(self.namespaces.start_anew)
        for secrets in (self.secrets, *self.additional_secrets.values()):
            self.history.add(secrets.start_anew)
        for accounts in self._service_account_caches():
            self.history.add(accounts.start_anew)
        for reflector in self._reflectors:
            self.history.add(reflector.relist)
        if self.namespace_relister is not None and self.namespace_watch is not None:
            self.history.add(self.namespace_watch.restart)
            self.history.add(self.namespace_relister.relist)

    async def secrets_listed(self) -> None:
        """Wait until the Secrets are known: without them every namespace would seem to be without one."""
        for synced in self.secrets.synced():
            await synced.wait()

    def start_leading(self) -> None:
        """Take over from another replica: every namespace is reconciled."""
        self._adapters.metrics.set_leader(True)
        self.principal.start_leading()
        self.namespaces.enqueue_all()
        self.pending_opt_outs.changed()

    def stop_leading(self) -> None:
        """Leave the reporting of namespaces to another replica."""
        self._adapters.metrics.set_leader(False)
        self.status_reporter.forget_namespaces()

    def _leader_elector(self) -> NoElection | LeaderElector:
        settings, adapters = self._settings, self._adapters
        adapters.metrics.set_leader(not settings.leader_election)
        if not settings.leader_election:
            return NoElection()
        lease = LeaseClient(
            adapters.kube_client, namespace=settings.lease_namespace, name=settings.lease_name, clock=adapters.clock
        )
        return LeaderElector(
            lease,
            holder_id=adapters.holder_id,
            duration=settings.lease_duration,
            clock=adapters.uptime,
            heartbeat=lambda: self.liveness.set_heartbeat(adapters.clock()),
            on_went_back=partial(self.history.went_back, "leases"),
        )

    def _service_account_cache(self) -> ResourceCache[ObservedServiceAccount] | None:
        if not self._settings.service_account_attachment:
            return None
        return service_account_cache(self.queue.add_changed, self.namespaces.enqueue_all, self._reports)

    def _service_account_caches(self) -> tuple[ResourceCache[ObservedServiceAccount], ...]:
        return (self.service_accounts,) if self.service_accounts is not None else tuple(self.roles.values())

    def _policy_reloader(self, config: Config) -> PolicyReloader:
        return PolicyReloader(
            config,
            self.policy,
            read=partial(parse, where_of(config.path)),
            on_change=self._policy_changed,
            set_valid=self._adapters.metrics.set_config_last_reload_successful,
        )

    def _policy_changed(self) -> None:
        self.namespaces.enqueue_all()
        self.pending_opt_outs.changed()

    def _pending_opt_outs(self) -> PendingOptOuts:
        return PendingOptOuts(self.namespaces, self.secrets, self.policy, grace=self._settings.opt_out_grace)

    def _namespace_watch(self) -> NamespaceWatch | None:
        if self.namespace_relister is None:
            return None
        return self._adapters.watch_namespaces(self.namespaces.handler(), self.namespace_relister.relist)

    def _namespace_relister(self) -> NamespaceRelister | None:
        if self._settings.watch_namespaces:
            return None
        return NamespaceRelister(
            partial(list_namespaces, self._adapters.kube_client),
            self.namespaces.handler(),
            is_watched=lambda: self.namespace_watch is not None and self.namespace_watch.was_open,
            interval=self._settings.relist_interval,
            rng=self._adapters.rng,
        )

    def _all_reflectors(self) -> Iterator[Reflector[Any]]:
        """Build the reflectors, for all namespaces at once or for each one that is watched.

        Namespaces only need one where there is no right to watch all of them.
        """
        secret_name, only = self._settings.secret_name, self._settings.watch_namespaces
        pull_secret: SecretShape = DockerConfig(name=secret_name)
        others = ((shape_of(each), cache) for each, cache in self.additional_secrets.items())
        for shape, cache in ((pull_secret, self.secrets), *others):
            for scope in only or ("",):
                list_watch = secrets_list_watch(shape.name, scope)
                read, handler = partial(observe, shape=shape), cache.handler(scope)
                yield self._reflector(list_watch, read, handler, recall=recalling(cache))
        for name in only:
            yield self._reflector(namespace_list_watch(name), observe_namespace, self.namespaces.handler(name))
        if self.service_accounts is not None:
            translate = partial(_service_account, secret_name=secret_name)
            for scope in only or ("",):
                accounts = self.service_accounts.handler(scope)
                yield self._reflector(service_accounts_list_watch(scope), translate, accounts)
        for name, roles in self.roles.items():
            for scope in only or ("",):
                yield self._reflector(roles_list_watch(name, scope), observe_role, roles.handler(scope))

    def _reflector(
        self,
        list_watch: ListWatch,
        translate: Callable[[Mapping[str, Any]], _T],
        handler: EventHandler[_T],
        *,
        recall: Callable[[Mapping[str, Any]], _T | None] = _nothing,
    ) -> Reflector[_T]:
        return Reflector[_T](
            self._adapters.kube_client,
            list_watch,
            translate=translate,
            handler=handler,
            relist_interval=self._settings.relist_interval,
            rng=self._adapters.rng,
            recall=recall,
        )

    def _token_cache(self) -> TokenCache:
        return TokenCache(
            self._adapters.token_source,
            rotation=self._settings.rotation,
            clock=self._adapters.clock,
            rng=self._adapters.rng,
            on_fetch=self.queue.charge_aws_call,
        )

    def _token_verifier(self) -> TokenVerifier | None:
        settings, adapters = self._settings, self._adapters
        if settings.verify == "off":
            return None
        return TokenVerifier(
            self.token_cache,
            adapters.registry_probe(settings.registry_ca_file),
            clock=adapters.clock,
            rng=adapters.rng,
            record_probe=adapters.metrics.record_registry_probe,
        )

    def _token_revalidator(self) -> tuple[Runnable, ...]:
        if self.token_verifier is None or self._settings.verify != "continuous":
            return ()
        revalidator = TokenRevalidator(
            self.token_verifier,
            published=self.reconciler.published,
            reader=self.pull_secrets,
            peek=self.token_cache.peek,
            enqueue=self.queue.add,
            interval=self._settings.verify_interval,
        )
        return (revalidator,)

    def _reconciler(self) -> Reconciler:
        return self._secret_reconciler(self.secrets, self.pull_secrets, self.status_reporter, self.desired_states)

    def _secret_reconciler(
        self,
        secrets: ResourceCache[ObservedSecret],
        client: PullSecretClient,
        reporter: Reports,
        desired_states: Desired,
    ) -> Reconciler:
        read = read_namespace if self._settings.watch_namespaces else find_namespace
        return Reconciler(
            namespaces=NamespaceView(self.namespaces, partial(read, self._adapters.kube_client)),
            secrets=secrets,
            client=client,
            tokens=self.token_verifier or UnverifiedTokens(self.token_cache),
            identities=self.identities,
            records=self.records,
            reporter=reporter,
            rotation=self._settings.rotation,
            clock=self._adapters.clock,
            desired_states=desired_states,
            waiting=self.queue.waiting,
        )

    def _secrets_reconciler(self) -> Reconciler | SecretsReconciler:
        if not self.additional_secrets:
            return self.reconciler
        found = [
            Additional(name=each.name, secrets=cache, reconciler=self._additional_reconciler(each, cache))
            for each, cache in self.additional_secrets.items()
        ]
        return SecretsReconciler(
            self.reconciler, found, records=self.records, clock=self._adapters.clock, rng=self._adapters.rng
        )

    def _additional_reconciler(self, secret: AdditionalSecret, cache: ResourceCache[ObservedSecret]) -> Reconciler:
        shape = shape_of(secret)
        desired_states = AdditionalDesiredStates(
            secret,
            self.desired_states,
            pull_secrets=self.secrets,
            records=self.records,
            clock=self._adapters.clock,
            grace=self._settings.opt_out_grace,
        )
        client = PullSecretClient(self._gated_client, shape=shape, installation=self._settings.installation)
        reports = AdditionalReports(shape=shape, reporter=self.status_reporter)
        return self._secret_reconciler(cache, client, reports, desired_states)

    def _controller_principal(self) -> ControllerPrincipal:
        found = ControllerPrincipal(
            secrets=self.secrets.items,
            enqueue=self.queue.add,
            jitter=self._settings.rotation.jitter,
            clock=self._adapters.clock,
        )
        self._adapters.token_source.on_principal(found.record)
        return found

    def _service_account_poller(self) -> ServiceAccountPoller:
        return ServiceAccountPoller(
            namespaces=self.namespaces,
            records=self.records,
            service_accounts=self._account_tokens,
            is_watched=self.watched_roles.is_watched,
            enqueue=self.queue.add_changed,
        )

    def _identities(self) -> Identities:
        return Identities(
            controller=self.principal,
            source=self._adapters.token_source,
            service_accounts=self._account_tokens,
            records=self.records,
            policy=self.policy,
            observed=self.watched_roles.principal,
        )

    def _desired_states(self) -> DesiredStates:
        return DesiredStates(
            self.records,
            self.policy,
            clock=self._adapters.clock,
            opt_out_grace=self._settings.opt_out_grace,
            on_opt_in_lost=self.pending_opt_outs.changed,
            attach_service_accounts=self._settings.service_account_attachment,
            installation=self._settings.installation,
        )

    def _service_account_reconciler(self) -> tuple[ServiceAccountReconciler, ...]:
        if self.service_accounts is None:
            return ()
        secret_name = self._settings.secret_name
        reconciler = ServiceAccountReconciler(
            namespaces=self.namespaces,
            secrets=self.secrets,
            service_accounts=self.service_accounts,
            client=ServiceAccountClient(self._gated_client, secret_name=secret_name),
            events=self.events,
            log=self.status_reporter.log,
            records=self.records,
            policy=self.policy,
            secret_name=secret_name,
            clock=self._adapters.clock,
        )
        return (reconciler,)

    def _worker(self) -> Worker:
        return Worker(
            self.queue,
            (self._secrets_reconciler(), *self._service_account_reconciler()),
            priority_of=self.reconciler.priority,
            records=self.records,
            reporter=self.status_reporter,
            clock=self._adapters.clock,
            rng=self._adapters.rng,
            metrics=self.liveness,
        )

    def _http_server(self) -> Runnable:
        secrets, accounts = (self.secrets, *self.additional_secrets.values()), self._service_account_caches()
        readiness = Readiness(
            {
                "Secrets": [event for cache in secrets for event in cache.synced()],
                "Namespaces": self.namespaces.synced(),
                "ServiceAccounts": [event for cache in accounts for event in cache.synced()],
            },
            denied={
                "listing Namespaces": self.namespaces.is_denied,
                "listing Secrets": lambda: any(cache.is_denied() for cache in secrets),
                "writing Secrets": self.status_reporter.writes_denied,
                "listing ServiceAccounts": lambda: any(cache.is_denied() for cache in accounts),
                "its Lease": self.leader_elector.is_denied,
            },
        )
        self._adapters.metrics.set_permission_denied(readiness.is_denied)
        serve = self._adapters.serve_http
        return RunnableFunc(partial(serve, healthy=self.liveness.problem, ready=readiness.problem))

    def _runnables_after_sync(self) -> Iterator[Runnable]:
        yield self.policy_reloader
        yield self.pending_opt_outs
        yield RunnableFunc(self._adapters.token_source.log_credential_source)
        if self.namespace_relister is not None:
            yield self.namespace_relister


def _service_account(account: Mapping[str, Any], secret_name: str) -> ObservedServiceAccount:
    return observe_service_account(account, secret_name)
