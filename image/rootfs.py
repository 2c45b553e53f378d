"""Assemble the image's root file system: the interpreter, the program, and the libraries that they link.

Package managers, compilers and shells are left out. Runs in the build stage, as root, with the base image's
interpreter, which knows its own paths, so nothing here depends on the architecture.
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

_PACKAGING = ("ensurepip", "venv", "config-3*", "site-packages", "dist-packages", "sitecustomize.py")
_INTERACTIVE = (
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
LEFT_OUT = shutil.ignore_patterns("__pycache__", *_PACKAGING, *_INTERACTIVE, *_TESTS)
"""Parts of the standard library that are not copied."""

ETC = {
    "passwd": "root:x:0:0:root:/root:/nonexistent\nnonroot:x:65532:65532:nonroot:/home/nonroot:/nonexistent\n",
    "group": "root:x:0:\nnonroot:x:65532:\n",
    "nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",
}
CONFIGURATION = ("/etc/os-release", "/etc/ssl/certs/ca-certificates.crt", "/usr/lib/ssl/openssl.cnf")
_LINKED = re.compile(r"(/\S+) \(0x")


class Root:
    """The new root, and the files of the base image that were copied to it."""

    def __init__(self, target: Path) -> None:
        self.target = target
        self.sources: set[Path] = set()
        target.mkdir()
        for name in ("bin", "lib", "lib64", "sbin"):
            if (link := Path("/", name)).is_symlink():
                (target / link.readlink()).mkdir(parents=True, exist_ok=True)
                (target / name).symlink_to(link.readlink())

    def inside(self, path: Path) -> Path:
        """Map a path of the base image to the new root."""
        return self.target / path.relative_to("/")

    def place(self, path: Path) -> None:
        """Copy a file to the same path; a symbolic link together with its target."""
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
        """Copy a folder to the same path, except LEFT_OUT."""
        shutil.copytree(folder, self.inside(folder), symlinks=True, ignore=LEFT_OUT, dirs_exist_ok=True)
        placed = (folder / path.relative_to(self.inside(folder)) for path in self.inside(folder).rglob("*"))
        self.sources |= {path.resolve() for path in placed if path.is_file()}

    def write(self, path: str, text: str) -> None:
        """Write a generated file."""
        destination = self.target / path
        destination.parent.mkdir(parents=True, exist_ok=True)
        destination.write_text(text)


def assemble(target: Path, program: Path) -> None:
    """Assemble the root in `target`, including the program's virtual environment."""
    root = Root(target)
    remove_other_commands(program)
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


def remove_other_commands(environment: Path) -> None:
    """Delete the commands of libraries from the environment; only those of the program and the interpreter remain."""
    for command in (environment / "bin").iterdir():
        if not command.name.startswith(("python", "pullkeeper")):
            command.unlink()


def linked_by(root: Root, executable: Path, *folders: Path) -> list[Path]:
    """Return the libraries of the base image that these files are linked with, and the loader."""
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
        raise SystemExit(f"the base image lacks libraries: {'; '.join(missing)}")
    found = {Path(path) for path in _LINKED.findall(printed)}
    outside = [path for path in found if not any(path.is_relative_to(folder) for folder in folders)]
    # glibc loads this one by name when a thread exits early.
    return [*outside, *(path.with_name("libgcc_s.so.1") for path in outside if path.name == "libc.so.6")]


def record_packages(root: Root) -> None:
    """Record the Debian packages that files come from, where scanners look in distroless images, and their licences."""
    stanzas = Path("/var/lib/dpkg/status").read_text().strip().split("\n\n")
    by_name = {stanza.partition("\n")[0].removeprefix("Package: "): stanza for stanza in stanzas}
    for package in sorted(owners(root.sources)):
        root.write(f"var/lib/dpkg/status.d/{package}", f"{by_name[package]}\n")
        root.place(Path("/usr/share/doc", package, "copyright"))


def owners(files: Iterable[Path]) -> set[str]:
    """Return the names of the Debian packages that own any of these files."""
    paths = {str(file) for file in files}
    lists = Path("/var/lib/dpkg/info").glob("*.list")
    return {
        listing.stem.partition(":")[0]
        for listing in lists
        if any(os.path.realpath(line) in paths for line in listing.read_text().splitlines())
    }


def index_libraries(root: Root) -> None:
    """Create the loader's cache, so that it finds libraries in /usr/local as well."""
    for file in (Path("/etc/ld.so.conf"), *Path("/etc/ld.so.conf.d").glob("*.conf")):
        root.place(file)
    subprocess.run(["ldconfig", "-r", str(root.target)], check=True)
    shutil.rmtree(root.target / "var" / "cache", ignore_errors=True)


def compile_all(root: Root, *folders: Path) -> None:
    """Byte-compile all modules, because nothing can be written at run time; hash-based, so file times do not matter."""
    for folder in folders:
        compiled = compileall.compile_dir(
            root.inside(folder),
            maxlevels=20,
            quiet=1,
            force=True,
            stripdir=str(root.target),
            prependdir="/",
            invalidation_mode=PycInvalidationMode.UNCHECKED_HASH,
        )
        if not compiled:
            raise SystemExit(f"modules in {folder} do not compile")


def normalize(target: Path, epoch: int) -> None:
    """Set the same time on every file, for a reproducible image, and make modules non-executable."""
    for module in target.rglob("*.py"):
        module.chmod(0o644)
    for path in (target, *target.rglob("*")):
        os.utime(path, (epoch, epoch), follow_symlinks=False)


def main() -> None:
    """Assemble the root in the first argument, with the virtual environment in the second."""
    target, program = Path(sys.argv[1]), Path(sys.argv[2])
    assemble(target, program)
    normalize(target, int(os.environ.get("SOURCE_DATE_EPOCH", "0")))


if __name__ == "__main__":
    main()
