"""A base for Python programs from packages of Debian 12, without installing any: only what Python needs, no shell, no package
manager. Needs `apt-get`, whose signatures vouch for the packages, and `dpkg-deb`; no root.
"""

from __future__ import annotations

import io
import subprocess
import tarfile
from collections.abc import Iterable
from pathlib import Path

from .oci import Layer, LayerWriter

PACKAGES = (
    "base-files", "netbase", "tzdata", "media-types", "ca-certificates",
    "libc6", "libgcc-s1", "libstdc++6", "zlib1g", "libssl3", "libexpat1", "libffi8", "libbz2-1.0", "liblzma5",
    "libsqlite3-0", "libuuid1", "libcrypt1", "libnsl2", "libtirpc3", "libcom-err2", "libgssapi-krb5-2", "libkrb5-3",
    "libk5crypto3", "libkrb5support0", "libkeyutils1",
    "python3.11-minimal", "libpython3.11-minimal", "libpython3.11-stdlib",
)  # fmt: skip
USER = 65_532
PYTHON = "/usr/bin/python3.11"
_MERGED = ("bin", "sbin", "lib", "lib64")
"""Folders that are links into usr/ since Debian 12."""
_LEFT_OUT = (
    "usr/share/doc/",
    "usr/share/man/",
    "usr/share/locale/",
    "usr/share/lintian/",
    "usr/share/bug/",
    "usr/sbin/",
    "var/",
)
_BUNDLE = "etc/ssl/certs/ca-certificates.crt"
_CERTIFICATES = "usr/share/ca-certificates/"
_ACCOUNTS = {
    "etc/passwd": f"root:x:0:0:root:/root:/sbin/nologin\nnonroot:x:{USER}:{USER}:nonroot:/home/nonroot:/sbin/nologin\n",
    "etc/group": f"root:x:0:\nnonroot:x:{USER}:\n",
    "etc/nsswitch.conf": "hosts: files dns\n",
}


class NoPackages(RuntimeError):
    """A sentence for the person at the terminal."""


def base_layer(folder: Path, more: Iterable[str] = ()) -> tuple[Layer, list[str]]:
    """The layer, and name and version of each package in it, `more` beside Python's; they are downloaded into the folder."""
    files = _download(folder, (*PACKAGES, *more))
    writer = LayerWriter()
    for name in _MERGED:
        writer.folder(f"usr/{name}")
        writer.link(name, f"usr/{name}")
    writer.folder("tmp", 0o1777)
    bundle = b"".join(_unpack(file, writer) for file in files)
    writer.file(_BUNDLE, bundle)
    # Where OpenSSL looks; the link is in a package that is not among these.
    writer.link("usr/lib/ssl/cert.pem", f"/{_BUNDLE}")
    for name, text in _ACCOUNTS.items():
        writer.file(name, text.encode())
    for name in ("python3", "python"):
        writer.link(f"usr/bin/{name}", "python3.11")
    return writer.layer(), [file.stem.rpartition("_")[0].replace("%3a", ":") for file in files]


def _download(folder: Path, packages: Iterable[str]) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    try:
        done = subprocess.run(
            ["apt-get", "download", "-qq", *packages], cwd=folder, text=True, capture_output=True, check=False
        )
    except FileNotFoundError:
        raise NoPackages(
            "there is no apt-get: the base of the image is made from packages of Debian 12"
        ) from None
    if done.returncode:
        raise NoPackages(f"apt-get download failed (try apt-get update first): {done.stderr.strip()[-500:]}")
    return sorted(folder.glob("*.deb"))


def _unpack(package: Path, writer: LayerWriter) -> bytes:
    """Put a package's files into the layer; the certificates among them, in one text."""
    content = subprocess.run(["dpkg-deb", "--fsys-tarfile", package], check=True, capture_output=True).stdout
    certificates = b""
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        for entry in archive:
            name = _place(entry.name)
            if not name or name.startswith(_LEFT_OUT) or f"{name}/" in _LEFT_OUT or name in _MERGED:
                continue
            if entry.isdir():
                writer.folder(name)
            elif entry.issym():
                writer.link(name, entry.linkname)
            elif (file := archive.extractfile(entry)) is not None:
                data = file.read()
                writer.file(name, data, 0o755 if entry.mode & 0o100 else 0o644)
                if name.startswith(_CERTIFICATES):
                    certificates += data
    return certificates


def _place(name: str) -> str:
    """Where a package's entry goes: what it has in a merged folder goes to the real one."""
    plain = name.removeprefix("./").rstrip("/")
    top, slash, _ = plain.partition("/")
    return f"usr/{plain}" if slash and top in _MERGED else plain
