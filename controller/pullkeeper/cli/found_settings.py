"""The settings that a command works with: a file's, or those of the installation in the cluster, read as the caller.

What was said comes first: `--installation`, then the file of `--config` or of the environment, which a pod of the
chart has. Otherwise the cluster is searched. `--secret-name` says that settings are not needed: then what cannot be
found out is a note.
"""

import argparse
import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Protocol

import yaml

from pullkeeper.adapters.kubernetes.client import ApiClient
from pullkeeper.adapters.kubernetes.installations import InstallationName, InstallationReader, Installations
from pullkeeper.app.config_loader import config_from, parse
from pullkeeper.cli.api_server import connected
from pullkeeper.cli.options import namespaced, variables_of
from pullkeeper.domain.config.settings import Settings
from pullkeeper.domain.errors.failures import FailureError
from pullkeeper.domain.errors.text import listed
from pullkeeper.domain.errors.validation import InvalidInputError, Problem, quoted

_SECONDS = 5.0
"""Deadline of the search."""
_MAX_BYTES = 256 * 1024
"""How long a settings file of the cluster may be."""
_CHOOSE = "--installation NAMESPACE/NAME"
NAME_THEM = f"name them with {_CHOOSE} or --config FILE"
"""What to do where the settings are unknown."""


class Client(ApiClient, Protocol):
    """A client that knows the namespace of its context."""

    @property
    def namespace(self) -> str:
        """The namespace to search where the whole cluster may not be."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class FoundSettings:
    """Settings, and where they are from."""

    settings: Settings
    source: str = ""
    """The file or ConfigMap; empty where the installation's settings are unknown, and these are the defaults."""
    installation: InstallationName | None = None
    """Whose ConfigMap they were read from; None where they are a file's, or unknown."""
    note: str = ""
    """Why they are unknown; empty where they are known."""

    @property
    def known(self) -> bool:
        """Whether they are the installation's."""
        return bool(self.source)

    @property
    def in_cluster(self) -> bool:
        """Whether they were read from the API server."""
        return self.installation is not None

    @property
    def notes(self) -> Sequence[str]:
        """What to tell people: nothing where they are known."""
        return () if self.known else (f"{self.note}; {NAME_THEM}",)


def settings_of_file(options: argparse.Namespace) -> FoundSettings:
    """Return the settings without asking the API server; raises InvalidInputError if they are invalid."""
    if not options.config:
        return _unknown(options, "the API server cannot be asked for the installation's settings")
    return FoundSettings(
        settings=config_from(options.config, variables_of(options)).settings, source=str(options.config)
    )


async def find_settings(options: argparse.Namespace, client: Client) -> FoundSettings:
    """Return the settings; raises InvalidInputError if they are invalid or several installations are found.

    An installation that is named and cannot be read raises FailureError.
    """
    if options.installation:
        return await _named(options, client)
    if options.config:
        return settings_of_file(options)
    try:
        async with asyncio.timeout(_SECONDS):
            return await _search(options, client)
    except FailureError as error:
        return _unknown(options, f"the installation's settings were not read: {error}")
    except TimeoutError:
        return _unknown(options, f"the installation's settings were not read within {_SECONDS:.0f} s")
    except InvalidInputError as error:
        if not _secret_name(options):
            raise
        return _unknown(options, f"the installation's settings are not used: {error}")


async def find_settings_alone(options: argparse.Namespace) -> FoundSettings:
    """Return the settings, for a command that works without the API server too.

    It is asked only where no file is given, and whatever it answers is a note, unless an installation is named.
    """
    if options.config and not options.installation:
        return settings_of_file(options)
    try:
        async with connected(options) as client:
            return await find_settings(options, client)
    except FailureError as error:
        if options.installation:
            raise
        return _unknown(options, f"the installation's settings were not read: {error}")


def installation_named(options: argparse.Namespace) -> InstallationName:
    """Return what --installation names; raises InvalidInputError."""
    if found := namespaced(options.installation):
        return InstallationName(namespace=found[0], name=found[1])
    raise _not_one(options.installation, "NAMESPACE/NAME")


async def _named(options: argparse.Namespace, client: Client) -> FoundSettings:
    name = installation_named(options)
    content = await InstallationReader(client).settings(name)
    if content is None:
        raise _not_one(options.installation, "namespace and name of the ConfigMap with the settings")
    return _parsed(options, name, content)


async def _search(options: argparse.Namespace, client: Client) -> FoundSettings:
    reader = InstallationReader(client)
    found = await reader.search(client.namespace)
    if not found.names:
        where = f"in namespace {found.namespace}, the only one that may be searched" if found.namespace else "here"
        return _unknown(options, f"no installation is found {where}")
    if len(found.names) > 1 or not found.complete:
        raise InvalidInputError([_several(found)])
    (name,) = found.names
    content = await reader.settings(name)
    if content is None:
        return _unknown(options, f"the installation {name} has just been deleted")
    parsed = _parsed(options, name, content)
    secret_name = _secret_name(options)
    if secret_name and parse(parsed.source, content).secret_name != secret_name:
        return _unknown(options, f"the settings of {name} are of another pull Secret than {secret_name}")
    return parsed


def _parsed(options: argparse.Namespace, name: InstallationName, content: bytes) -> FoundSettings:
    where = f"ConfigMap {name}"
    _check_bounds(where, content)
    try:
        return FoundSettings(settings=parse(where, content, variables_of(options)), source=where, installation=name)
    except InvalidInputError as error:
        raise InvalidInputError(_within(where, each) for each in error.problems) from None


def _check_bounds(where: str, content: bytes) -> None:
    """Refuse what the chart never writes: anybody may make a ConfigMap, and a few aliases stand for gigabytes."""
    expected = "the file that the chart writes"
    if len(content) > _MAX_BYTES:
        raise InvalidInputError([Problem(where=where, found=f"{len(content):,} bytes", expected=expected)])
    if _has_aliases(content):
        raise InvalidInputError([Problem(where=where, found="aliases (*)", expected=expected)])


def _has_aliases(content: bytes) -> bool:
    with suppress(yaml.YAMLError, ValueError):  # parsing reports these
        return any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(content, Loader=yaml.SafeLoader))
    return False


def _within(where: str, problem: Problem) -> Problem:
    return problem if problem.where == where else replace(problem, where=f"{where}: {problem.where}")


def _unknown(options: argparse.Namespace, note: str) -> FoundSettings:
    return FoundSettings(settings=config_from(None, variables_of(options)).settings, note=note)


def _several(found: Installations) -> Problem:
    names = listed(found.names) + ("" if found.complete else " and more")
    return Problem(where="installations", found=names, expected=f"one, or {_CHOOSE}")


def _not_one(found: str, expected: str) -> InvalidInputError:
    return InvalidInputError([Problem(where="--installation", found=quoted(found), expected=expected)])


def _secret_name(options: argparse.Namespace) -> str:
    return getattr(options, "secret_name", None) or ""
