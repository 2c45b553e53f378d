"""Lays out the image's root: the interpreter, the program, and the libraries that they link.

Nothing that installs, no compiler and no shell comes along. It runs in the Dockerfile's build stage, as root, by the
base's own interpreter, and asks that for its places, so it knows no architecture.
"""

import compileall
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterable
from pathlib import Path
from py_compile import PycInvalidationMode

_INSTALLS_OR_LINKS = ("ensurepip", "venv", "config-3*", "site-packages", "dist-packages", "sitecustomize.py")
_FOR_PEOPLE_AT_A_SCREEN = (
    "curses",
    "_curses*",
    "idlelib",
    "pydoc_data",
    "readline.*",
    "tkinter",
    "_tkinter.*",
    "turtle*",
)
_TESTS = ("test", "_test*", "_ctypes_test.*", "xxlimited*", "xxsubtype*")
LEFT_OUT = shutil.ignore_patterns("__pycache__", *_INSTALLS_OR_LINKS, *_FOR_PEOPLE_AT_A_SCREEN, *_TESTS)
"""What stays behind of the standard library."""

ETC = {
    "passwd": "root:x:0:0:root:/root:/nonexistent\nnonroot:x:65532:65532:nonroot:/home/nonroot:/nonexistent\n",
    "group": "root:x:0:\nnonroot:x:65532:\n",
    "nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",
}
CONFIGURATION = ("/etc/os-release", "/etc/ssl/certs/ca-certificates.crt", "/usr/lib/ssl/openssl.cnf")
_LINKED = re.compile(r"(/\S+) \(0x")


class Root:
    """The root that is being laid out, and which of the base's files are in it."""

    def __init__(self, target: Path) -> None:
        self.target = target
        self.sources: set[Path] = set()
        target.mkdir()
        for name in ("bin", "lib", "lib64", "sbin"):
            if (link := Path("/", name)).is_symlink():
                (target / link.readlink()).mkdir(parents=True, exist_ok=True)
                (target / name).symlink_to(link.readlink())

    def inside(self, path: Path) -> Path:
        """Tell where a path of the base is in the new root."""
        return self.target / path.relative_to("/")

    def place(self, path: Path) -> None:
        """Copy a file to the same place; a link with all that it leads to."""
        path = Path(os.path.normpath(path))
        destination = self.inside(path)
        if os.path.lexists(destination):
            return
        destination.parent.mkdir(parents=True, exist_ok=True)
        if path.is_symlink():
            destination.symlink_to(path.readlink())
            self.place(path.parent / path.readlink())
        else:
            shutil.copy2(path, destination)
            self.sources.add(path.resolve())

    def place_tree(self, folder: Path) -> None:
        """Copy a folder to the same place, without what is left out."""
        shutil.copytree(folder, self.inside(folder), symlinks=True, ignore=LEFT_OUT, dirs_exist_ok=True)
        placed = (folder / path.relative_to(self.inside(folder)) for path in self.inside(folder).rglob("*"))
        self.sources |= {path.resolve() for path in placed if path.is_file()}

    def write(self, path: str, text: str) -> None:
        """Write a file of our own."""
        destination = self.target / path
        destination.parent.mkdir(parents=True, exist_ok=True)
        destination.write_text(text)


def lay_out(target: Path, program: Path) -> None:
    """Lay out the root in `target`, with the environment of the program in it."""
    root = Root(target)
    keep_only_the_program(program)
    standard_library = Path(sysconfig.get_path("stdlib"))
    root.place(Path(sys.executable))
    root.place_tree(standard_library)
    shutil.copytree(program, root.inside(program), symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
    for library in linked_by(root, Path(sys.executable), standard_library, program):
        root.place(library)
    for file in CONFIGURATION:
        root.place(Path(file))
    for name, text in ETC.items():
        root.write(f"etc/{name}", text)
    for folder in ("home/nonroot", "run", "tmp"):
        (target / folder).mkdir(parents=True, exist_ok=True)
    (target / "tmp").chmod(0o1777)
    record_packages(root)
    index_libraries(root)
    compile_all(root, standard_library, program)


def keep_only_the_program(environment: Path) -> None:
    """Leave no command in the environment but its own and the interpreter: those of the libraries nobody needs."""
    for command in (environment / "bin").iterdir():
        if not command.name.startswith(("python", "pullkeeper")):
            command.unlink()


def linked_by(root: Root, executable: Path, *folders: Path) -> list[Path]:
    """Give the base's libraries that these are linked with, and the loader."""
    placed = [
        folder / file.relative_to(root.inside(folder))
        for folder in folders
        for file in root.inside(folder).rglob("*.so*")
    ]
    command = ["ldd", str(executable), *(str(file) for file in placed)]
    printed = subprocess.run(
        command, capture_output=True, text=True, check=True, env={"LC_ALL": "C", "PATH": os.environ["PATH"]}
    ).stdout
    if missing := [line.strip() for line in printed.splitlines() if "not found" in line]:
        raise SystemExit(f"the base lacks libraries: {'; '.join(missing)}")
    found = {Path(path) for path in _LINKED.findall(printed)}
    outside = [path for path in found if not any(path.is_relative_to(folder) for folder in folders)]
    # glibc opens this one by its name, when a thread ends early.
    return [*outside, *(path.with_name("libgcc_s.so.1") for path in outside if path.name == "libc.so.6")]


def record_packages(root: Root) -> None:
    """Tell scanners which of Debian's packages the files are from, as distroless images do; and give their licences."""
    stanzas = Path("/var/lib/dpkg/status").read_text().strip().split("\n\n")
    by_name = {stanza.partition("\n")[0].removeprefix("Package: "): stanza for stanza in stanzas}
    for package in sorted(owners(root.sources)):
        root.write(f"var/lib/dpkg/status.d/{package}", f"{by_name[package]}\n")
        root.place(Path("/usr/share/doc", package, "copyright"))


def owners(files: Iterable[Path]) -> set[str]:
    """Give the names of Debian's packages that own any of these files."""
    wanted = {str(file) for file in files}
    lists = Path("/var/lib/dpkg/info").glob("*.list")
    return {
        listing.stem.partition(":")[0]
        for listing in lists
        if any(os.path.realpath(line) in wanted for line in listing.read_text().splitlines())
    }


def index_libraries(root: Root) -> None:
    """Let the loader find libraries in /usr/local, too."""
    for file in (Path("/etc/ld.so.conf"), *Path("/etc/ld.so.conf.d").glob("*.conf")):
        root.place(file)
    subprocess.run(["ldconfig", "-r", str(root.target)], check=True)
    shutil.rmtree(root.target / "var" / "cache", ignore_errors=True)


def compile_all(root: Root, *folders: Path) -> None:
    """Byte-compile everything: a start on a read-only root has nothing to compile, whatever the files' times."""
    for folder in folders:
        done = compileall.compile_dir(
            root.inside(folder),
            maxlevels=20,
            quiet=1,
            force=True,
            stripdir=str(root.target),
            prependdir="/",
            invalidation_mode=PycInvalidationMode.UNCHECKED_HASH,
        )
        if not done:
            raise SystemExit(f"{folder} does not compile")


def settle(target: Path, epoch: int) -> None:
    """Give everything the same time, so that the same source gives the same image; and no module is a command."""
    for module in target.rglob("*.py"):
        module.chmod(0o644)
    for path in (target, *target.rglob("*")):
        os.utime(path, (epoch, epoch), follow_symlinks=False)


def main() -> None:
    """Lay out the root in the first argument; the second is the program's environment."""
    target, program = Path(sys.argv[1]), Path(sys.argv[2])
    lay_out(target, program)
    settle(target, int(os.environ.get("SOURCE_DATE_EPOCH", "0")))


if __name__ == "__main__":
    main()
