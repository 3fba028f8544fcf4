"""A hub on loopback that speaks as much of the hub's protocol as downloads need."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple
from urllib.parse import unquote, urlparse

TOKEN = "hf_secret"

Files = Mapping[str, bytes]


@dataclass
class Repository:
    """A repository with its revisions, the name of each of which leads to the files that it holds."""

    revisions: dict[str, Files]
    private: bool = False
    """Like a hub, which does not tell what is private from what is not there."""
    gated: bool = False
    large: frozenset[str] = frozenset()
    """Files that the hub keeps elsewhere, as it does with the large ones, and only says where."""


class Refusal(Exception):
    """An answer other than 200."""

    def __init__(self, status: int, code: str = "", message: str = "") -> None:
        super().__init__(status, code, message)
        self.status = status
        self.headers = {"X-Error-Code": code, "X-Error-Message": message}


class Elsewhere(Refusal):
    """What was asked for is at another address."""

    def __init__(self, address: str, data: bytes, commit: str) -> None:
        super().__init__(302)
        self.headers = {
            "Location": address,
            "X-Linked-Size": str(len(data)),
            "X-Linked-ETag": f'"{hashlib.sha256(data).hexdigest()}"',
            "X-Repo-Commit": commit,
        }


class Request(NamedTuple):
    """What was asked of the hub."""

    method: str
    path: str
    token: str | None


@dataclass
class Hub:
    """The hub's contents, and what it has been asked."""

    repositories: dict[str, Repository]
    """By path: `models/org/name` or `datasets/org/name`."""
    down: bool = False
    requests: list[Request] = field(default_factory=list)
    endpoint: str = ""
    store: str = ""
    """Where large files are: another host, which no token is meant for."""

    def answer(self, request: Request) -> tuple[bytes, dict[str, str]]:
        """Body and headers of an answer."""
        self.requests.append(request)
        if self.down:
            raise Refusal(503)
        parts = unquote(request.path).strip("/").split("/")
        if parts[0] == "api":
            kind, org, name, action, revision = parts[1:6]
            files, commit = self._revision(f"{kind}/{org}/{name}", revision, request.token)
            return json.dumps(_LISTINGS[action](files, commit, f"{org}/{name}")).encode(), {}
        if parts[0] == "stored":
            return self._stored(parts[1]), {}
        if parts[0] != "datasets":
            parts = ["models", *parts]
        kind, org, name, _, revision = parts[:5]
        files, commit = self._revision(f"{kind}/{org}/{name}", revision, request.token)
        path = "/".join(parts[5:])
        if path not in files:
            raise Refusal(404, "EntryNotFound", "Entry not found")
        if path in self.repositories[f"{kind}/{org}/{name}"].large:
            raise Elsewhere(f"{self.store}/stored/{_digest(files[path])}", files[path], commit)
        return files[path], {"ETag": f'"{_digest(files[path])}"', "X-Repo-Commit": commit}

    def _stored(self, digest: str) -> bytes:
        everything = (
            data
            for repository in self.repositories.values()
            for files in repository.revisions.values()
            for data in files.values()
        )
        return next(data for data in everything if _digest(data) == digest)

    def _revision(self, path: str, revision: str, token: str | None) -> tuple[Files, str]:
        if token not in (None, TOKEN):
            raise Refusal(401, message="Invalid credentials in Authorization header")
        found = self.repositories.get(path)
        if found is None or (found.private and token is None):
            raise Refusal(401, "RepoNotFound", "Repository not found")
        if found.gated:
            raise Refusal(403, "GatedRepo", "You are not in the authorized list")
        commits = {commit_of(name): files for name, files in found.revisions.items()}
        commit = commit_of(revision) if revision in found.revisions else revision
        if commit not in commits:
            raise Refusal(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        return commits[commit], commit


def commit_of(revision: str) -> str:
    """The commit that a branch or tag stands for."""
    return hashlib.sha1(revision.encode()).hexdigest()


def _info(files: Files, commit: str, name: str) -> object:
    return {"id": name, "sha": commit, "siblings": [{"rfilename": path} for path in files]}


def _tree(files: Files, commit: str, name: str) -> object:
    return [
        {"type": "file", "path": path, "size": len(data), "oid": _digest(data)}
        for path, data in files.items()
    ]


_LISTINGS = {"revision": _info, "tree": _tree}


def _digest(data: bytes) -> str:
    return hashlib.sha1(data).hexdigest()


@contextmanager
def serving(hub: Hub) -> Iterator[None]:
    """Serve on loopback and set the hub's endpoint."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            authorization = self.headers.get("Authorization")
            token = authorization.removeprefix("Bearer ") if authorization else None
            try:
                body, headers = hub.answer(Request(self.command, urlparse(self.path).path, token))
                self.send_response(200)
            except Refusal as refusal:
                body, headers = b"{}", refusal.headers
                self.send_response(refusal.status)
            for name, value in (headers | {"Content-Length": str(len(body))}).items():
                if value:
                    self.send_header(name, value)
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        do_HEAD = do_GET

        def log_message(self, *args: object) -> None:
            """Nothing: what was asked is kept."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    hub.endpoint = f"http://127.0.0.1:{server.server_port}"
    hub.store = f"http://localhost:{server.server_port}"
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
