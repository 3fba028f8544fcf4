"""OCI image archives as whoever runs them reads them: everything by its digest."""

from __future__ import annotations

import gzip
import hashlib
import json
import shutil
import subprocess
import tarfile
from pathlib import Path
from typing import Any


class OciImage:
    """The only image of an archive, unpacked into a folder."""

    def __init__(self, archive: Path, folder: Path) -> None:
        self._layout = folder / "layout"
        self.root = folder / "root"
        self.root.mkdir(parents=True)
        with tarfile.open(archive) as tar:
            tar.extractall(self._layout, filter="data")
        assert json.loads((self._layout / "oci-layout").read_bytes()) == {"imageLayoutVersion": "1.0.0"}
        index = json.loads((self._layout / "index.json").read_bytes())
        (self.descriptor,) = index["manifests"]
        self.manifest: dict[str, Any] = json.loads(self.blob(self.descriptor))
        self.config: dict[str, Any] = json.loads(self.blob(self.manifest["config"]))

    def blob(self, descriptor: dict[str, Any]) -> bytes:
        """What a descriptor describes, checked."""
        kind, _, digest = descriptor["digest"].partition(":")
        data = (self._layout / "blobs" / kind / digest).read_bytes()
        assert len(data) == descriptor["size"]
        assert hashlib.new(kind, data).hexdigest() == digest
        return data

    def unpack(self) -> None:
        """Put the layers over each other, as owners and modes have it. Needs root."""
        for layer, diff_id in zip(self.manifest["layers"], self.config["rootfs"]["diff_ids"], strict=True):
            plain = gzip.decompress(self.blob(layer))
            assert f"sha256:{hashlib.sha256(plain).hexdigest()}" == diff_id
            subprocess.run(["tar", "-xp", "--numeric-owner", "-C", self.root], input=plain, check=True)

    def command(self, *words: str) -> tuple[list[str], dict[str, str]]:
        """How the image's program is started in its root, as its user, with these arguments; and its whole environment."""
        settings = self.config["config"]
        program = shutil.which("chroot", path="/usr/sbin:/usr/bin") or "chroot"
        inside = [program, f"--userspec={settings['User']}", str(self.root), *settings["Entrypoint"], *words]
        return inside, dict(variable.split("=", 1) for variable in settings["Env"])
