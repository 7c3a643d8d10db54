"""Programs of Debian's unstable release, which this machine's own release lacks: fetched once by apt, and kept.

Nothing is installed. apt resolves the packages for an empty system of its own, from the mirror that this machine is
configured for; they are unpacked into a folder, and run there with their own C library.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from servers.own_environment import NotToBeHad, alone, kept_folder

_TIMEOUT_S = 300
_KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
_SUITES = frozenset({"stable", "oldstable", "testing", "unstable", "sid"})


@dataclass(frozen=True)
class Unpacked:
    """A folder that holds packages and all that they need.

    Args:
        root: What would be `/`.
    """

    root: Path

    def command(self, program: str) -> list[str]:
        """What runs a program of the folder.

        Args:
            program: Its path below the root: "usr/sbin/mysqld".
        """
        loader = next(self.root.glob("usr/lib/*/ld-linux*.so.*"))
        return [str(loader), "--library-path", str(loader.parent), str(self.root / program)]


def unpacked(package: str) -> Unpacked:
    """A package of Debian unstable; fetched when the kept folder does not have it.

    Raises:
        NotToBeHad: This machine is not a Debian, or apt cannot fetch the package.
    """
    folder = kept_folder() / f"debian-unstable-{package}"
    with alone(folder.with_suffix(".lock")):
        if not (folder / "ready").exists():
            shutil.rmtree(folder, ignore_errors=True)
            _fetch(package, _mirror(), folder)
            (folder / "ready").touch()
    return Unpacked(folder / "root")


def _mirror() -> str:
    """The address of the Debian archive in this machine's own sources."""
    if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
        raise NotToBeHad("apt-get and dpkg-deb fetch the server, and are not here")
    release = _os_release()
    if release.get("ID") != "debian":
        raise NotToBeHad("the server is Debian's, and this machine is none")
    suites = _SUITES | {release.get("VERSION_CODENAME", "")}
    told = _run(["apt-get", "indextargets", "--format", "$(CREATED_BY) $(RELEASE) $(COMPONENT) $(REPO_URI)"])
    for line in told.splitlines():
        kind, suite, component, address = line.split(maxsplit=3)
        if (kind, component) == ("Packages", "main") and suite in suites:
            return address
    raise NotToBeHad("apt's sources name no Debian archive")


def _os_release() -> dict[str, str]:
    file = Path("/etc/os-release")
    lines = file.read_text().splitlines() if file.exists() else []
    return {key: value.strip('"') for key, _, value in (line.partition("=") for line in lines)}


def _fetch(package: str, mirror: str, folder: Path) -> None:
    fetched, root = folder / "archives", folder / "root"
    for each in (folder / "lists" / "partial", fetched / "partial", folder / "etc" / "none", root):
        each.mkdir(parents=True)
    (folder / "status").touch()
    trusted = f"[signed-by={_KEYRING}] " if _KEYRING.exists() else ""
    (folder / "etc" / "sources.list").write_text(f"deb {trusted}{mirror} sid main\n")
    apt = ["apt-get", "-qq"]
    for key, value in {
        "Dir::State": folder,
        "Dir::State::Lists": folder / "lists",
        "Dir::State::Status": folder / "status",
        "Dir::Cache": folder,
        "Dir::Cache::Archives": fetched,
        "Dir::Etc::SourceList": folder / "etc" / "sources.list",
        "Dir::Etc::SourceParts": folder / "etc" / "none",
        "Dir::Etc::Preferences": folder / "etc" / "no-preferences",
        "Dir::Etc::PreferencesParts": folder / "etc" / "none",
        "APT::Install-Recommends": "false",
        "APT::Sandbox::User": "",  # its own user could not write here
        "Debug::NoLocking": "true",  # of the machine's own package state, which is not used
        "Acquire::Languages": "none",
    }.items():
        apt += ["-o", f"{key}={value}"]
    _run([*apt, "update"])
    _run([*apt, "-y", "--download-only", "install", package])
    for file in sorted(fetched.glob("*.deb")):
        _run(["dpkg-deb", "-x", str(file), str(root)])
    for each in (fetched, folder / "lists"):
        shutil.rmtree(each)


def _run(command: list[str]) -> str:
    own = {**os.environ, "LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"}
    answer = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False, env=own)
    if answer.returncode:
        raise NotToBeHad(f"{command[0]} {command[-1]} failed: {answer.stderr.strip()[-500:]}")
    return answer.stdout
