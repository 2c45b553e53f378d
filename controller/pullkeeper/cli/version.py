"""`pullkeeper version`: of this program, and of the controllers of the cluster, as far as the caller may read them."""

import argparse
import asyncio
import json
from importlib.metadata import version

from pullkeeper.adapters.kubernetes.installations import Controller, InstallationReader
from pullkeeper.cli.api_server import connected
from pullkeeper.cli.found_settings import installation_named
from pullkeeper.cli.options import add_installation, add_kubeconfig, add_output, print_notes
from pullkeeper.domain.errors.failures import FailureError
from pullkeeper.domain.errors.text import printable

EXAMPLES = ("", "--context prod", "--client -o json")


def add_parser(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    add_installation(parser)
    add_kubeconfig(parser)
    parser.add_argument("--client", action="store_true", help="show only the version of this program")
    add_output(parser, ("text", "json"))


def main(options: argparse.Namespace) -> int:
    """Print the versions; that no controller can be read is a note."""
    controllers: list[Controller] = []
    if not options.client:
        controllers, notes = asyncio.run(_read(options))
        print_notes(notes)
    own = version("pullkeeper")
    print(_document(own, controllers) if options.output == "json" else _text(own, controllers))
    return 0


async def _read(options: argparse.Namespace) -> tuple[list[Controller], list[str]]:
    try:
        async with connected(options) as client:
            reader = InstallationReader(client)
            if options.installation:
                return [await reader.controller(installation_named(options))], []
            found = await reader.search(client.namespace)
            return [await reader.controller(name) for name in found.names], _notes(found.complete, found.names)
    except FailureError as error:
        return [], [f"the controller's version was not read: {error}"]


def _notes(complete: bool, names: object) -> list[str]:  # noqa: FBT001 -- what a search says of itself
    if not names:
        return ["no installation is found"]
    return [] if complete else ["there are more installations; name one with --installation NAMESPACE/NAME"]


def _text(own: str, controllers: list[Controller]) -> str:
    lines = [
        f"controller {each.name}: {each.version} ({each.image}; {each.ready:,} of {each.wanted:,} ready)"
        for each in controllers
    ]
    return "\n".join(printable(line) for line in [f"client: {own}", *lines])


def _document(own: str, controllers: list[Controller]) -> str:
    found = [
        {
            "installation": str(each.name),
            "version": each.version,
            "image": each.image,
            "ready": each.ready,
            "wanted": each.wanted,
        }
        for each in controllers
    ]
    return json.dumps({"client": own, "controllers": found}, indent=2)
