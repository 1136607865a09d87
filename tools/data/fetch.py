"""What the scripts of this folder share: packages fetched once into a cache, and sets that are whole or absent.

A set is a folder  ${XDG_CACHE_HOME:-~/.cache}/dit/data/NAME.  It is filled beside its place, its files' SHA-256 sums are
written last (SHA256SUMS, as `sha256sum -c` reads it), and then it is renamed, so that a set that exists is complete. A
second run checks the sums and needs no network.
"""

import argparse
import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "dit"


class Failure(Exception):
    """What went wrong and what to do, in one line."""


def sha256(path):
    total = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            total.update(block)
    return total.hexdigest()


def run(*command, folder=None):
    try:
        return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout
    except FileNotFoundError:
        raise Failure(f"{command[0]} is not on this machine, and this set comes from a package that it would fetch")
    except subprocess.CalledProcessError as error:
        lines = [line for line in error.stderr.splitlines() if line.strip()]
        raise Failure(f"`{' '.join(command)}` failed: {lines[-1] if lines else 'no message'}")


def described(package):
    """The fields of a package's newest version, as apt knows it."""
    text = run("apt-cache", "show", "--no-all-versions", package)
    return dict(re.findall(r"^(Version|SHA256|Filename): (.+)$", text, re.MULTILINE))


def debian_package(package):
    """Fetches a Debian package, unless it is in the cache; returns (path, version). apt checks its signature chain."""
    try:
        fields = described(package)
    except Failure:
        run(*([] if os.geteuid() == 0 else ["sudo"]), "apt-get", "update", "-qq")
        fields = described(package)
    if not {"Version", "SHA256"} <= fields.keys():
        raise Failure(f"apt knows no checksum of {package}; run `apt-get update` as root")
    folder = CACHE / "packages"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{package}-{fields['SHA256'][:16]}.deb"
    if not path.exists():
        part = folder / f"{package}.part"
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir()
        run("apt-get", "download", "-qq", f"{package}={fields['Version']}", folder=part)
        (fetched,) = part.glob("*.deb")
        fetched.rename(path)
        part.rmdir()
    if sha256(path) != fields["SHA256"]:
        path.unlink()
        raise Failure(f"{package} did not arrive whole (its checksum is another); run this again")
    return path, fields["Version"]


def members(package, wanted):
    """Yields (name, bytes) for each regular file of a .deb whose path (without the leading ./) `wanted` accepts."""
    process = subprocess.Popen(["dpkg-deb", "--fsys-tarfile", package], stdout=subprocess.PIPE)
    with tarfile.open(fileobj=process.stdout, mode="r|") as archive:
        for entry in archive:
            name = entry.name.removeprefix("./")
            if entry.isfile() and wanted(name):
                yield name, archive.extractfile(entry).read()
    process.stdout.close()
    if process.wait() != 0:
        raise Failure(f"dpkg-deb cannot unpack {package}")


def pypi_wheel(name, version, checksum):
    """Fetches a wheel of exactly this version and SHA-256, unless it is in the cache; returns its path."""
    folder = CACHE / "packages"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}-{version}.whl"
    if not path.exists():
        part = folder / f"{name}.part"
        shutil.rmtree(part, ignore_errors=True)
        python = shutil.which("python3", path="/usr/bin") or sys.executable
        for attempt in (sys.executable, python):
            if subprocess.run([attempt, "-m", "pip", "--version"], capture_output=True).returncode == 0:
                python = attempt
                break
        run(python, "-m", "pip", "download", "-q", "--no-deps", "--only-binary=:all:", "-d", str(part),
            f"{name}=={version}")
        (fetched,) = part.glob("*.whl")
        fetched.rename(path)
        part.rmdir()
    if sha256(path) != checksum:
        path.unlink()
        raise Failure(f"{name} {version} is not the file expected (its checksum is another); run this again")
    return path


def whole(folder):
    """True when the set exists and every file has its recorded sum."""
    sums = folder / "SHA256SUMS"
    if not sums.exists():
        return False
    for line in sums.read_text().splitlines():
        expected, name = line.split("  ", 1)
        path = folder / name
        if not path.is_file() or sha256(path) != expected:
            return False
    return True


def build(name, fill):
    """The scripts' main: makes the set NAME with fill(folder), unless it is there and whole, and prints its folder."""
    parser = argparse.ArgumentParser(prog=f"tools/data/{name}", description=sys.modules["__main__"].__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--force", action="store_true", help="make the set again although it is there")
    options = parser.parse_args()
    root = CACHE / "data"
    folder, part = root / name, root / f"{name}.part"
    try:
        root.mkdir(parents=True, exist_ok=True)
        with open(root / f"{name}.lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if options.force or not whole(folder):
                shutil.rmtree(part, ignore_errors=True)
                part.mkdir()
                summary = fill(part)
                files = sorted(path for path in part.rglob("*") if path.is_file())
                sums = "".join(f"{sha256(path)}  {path.relative_to(part)}\n" for path in files)
                (part / "SHA256SUMS").write_text(sums)
                shutil.rmtree(folder, ignore_errors=True)
                part.rename(folder)
                print(summary, file=sys.stderr)
            print(folder)
    except (Failure, OSError) as error:
        shutil.rmtree(part, ignore_errors=True)
        sys.exit(f"tools/data/{name}: {error}")
    except KeyboardInterrupt:
        shutil.rmtree(part, ignore_errors=True)
        sys.exit(130)
