"""Who may ask an own verifier, and whether it is the right one: tokens, certificates, addresses."""

from __future__ import annotations

import os
import subprocess
import threading
from pathlib import Path
from typing import Any

import pytest
from reflection_trainer.patience import Patience

from ...support.certificates import Authority
from ...support.shell import REFLECT
from ...support.verifier_server import Asked, Request, free_address, verifier_server
from .asking import failure, items, service, told


class TestToken:
    @pytest.fixture
    def guarded(self):
        good = ["Bearer first"]

        def behave(request: Request) -> None:
            if request.headers["authorization"] == good[0]:
                request.judge()
            else:
                request.answer(401, "expired")

        with verifier_server(behave) as asked:
            yield asked, good

    def test_from_the_environment(self, guarded: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        asked, good = guarded
        monkeypatch.setenv("REFLECT_VERIFIER_TOKEN", "first\n")
        assert service(asked.url, token=True).judge(items(1))[0].correct
        good[0] = "Bearer second"
        found = failure(asked.url, token=True)
        assert told(found) == (78, "InvalidSpec")
        assert "does not accept the token: it answered 401 (expired)" in found.message
        assert "first" not in found.message

    def test_a_file_that_is_replaced(
        self, guarded: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        asked, good = guarded
        file = tmp_path / "token"
        file.write_text("first")
        monkeypatch.setenv("REFLECT_VERIFIER_TOKEN_FILE", str(file))
        judge = service(asked.url, token=True, patience=Patience(60.0))
        assert judge.judge(items(1))[0].correct
        good[0] = "Bearer second"
        threading.Timer(0.5, file.write_text, ["second"]).start()
        assert judge.judge(items(1))[0].correct

    def test_none_at_all(self, guarded: Any) -> None:
        found = failure(guarded[0].url, token=True)
        assert told(found) == (78, "InvalidSpec")
        assert found.message == (
            "spec.task.verifier.http.tokenSecret: the token is nowhere; put it into the Secret's key token, or for "
            "`reflect run` into REFLECT_VERIFIER_TOKEN"
        )
        assert guarded[0].requests == []

    def test_it_stays_here_where_the_resource_names_none(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("REFLECT_VERIFIER_TOKEN", "first")
        with verifier_server() as asked:
            service(asked.url).judge(items(1))
        assert "authorization" not in asked.headers[0]


class TestCertificates:
    @pytest.fixture
    def authority(self, tmp_path: Path) -> Authority:
        return Authority(tmp_path)

    @pytest.fixture
    def secure(self, authority: Authority):
        with verifier_server(certificate=authority.server("verifier")) as asked:
            yield asked

    def test_of_an_own_authority(
        self, authority: Authority, secure: Asked, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("REFLECT_VERIFIER_CA", str(authority.certificate))
        assert service(secure.url, authority=True).judge(items(1))[0].correct

    def test_that_nobody_vouches_for(self, secure: Asked) -> None:
        found = failure(secure.url)
        assert told(found) == (78, "InvalidSpec")
        assert "the service's certificate is not trusted (" in found.message
        assert "name its authority's in spec.task.verifier.http.caSecret, or" in found.message

    def test_that_are_none(self, secure: Asked, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        (tmp_path / "no.crt").write_text("nonsense")
        for file, words in (("no.crt", "no certificates in PEM format"), ("gone.crt", "No such file")):
            monkeypatch.setenv("REFLECT_VERIFIER_CA", str(tmp_path / file))
            found = failure(secure.url, authority=True)
            assert told(found) == (78, "InvalidSpec")
            assert f"caSecret: {tmp_path / file}: {words}" in found.message


@pytest.mark.parametrize("command", ["verify --http", "verify-conformance"])
def test_a_terminal_has_token_and_certificates_from_the_environment(command: str, tmp_path: Path) -> None:
    authority, file = Authority(tmp_path), tmp_path / "items.jsonl"
    file.write_text(
        "".join(f'{{"id": "{name}", "completion": "all {name}"}}\n' for name in ("right", "wrong"))
    )

    def behave(request: Request) -> None:
        if request.headers["authorization"] != "Bearer first":
            request.answer(401, "expired")
        elif all(isinstance(item.get("completion"), str) for item in request.items):
            request.judge()
        else:
            request.answer(400)

    def run(**environment: str) -> subprocess.CompletedProcess[str]:
        items = ["--items", str(file)] if "conformance" in command else []
        return subprocess.run(
            [*REFLECT, *command.split(), asked.url, *items],
            input=file.read_text(),
            capture_output=True,
            text=True,
            check=False,
            env=os.environ | environment,
        )

    with verifier_server(behave, certificate=authority.server("verifier")) as asked:
        known = {"REFLECT_VERIFIER_TOKEN": "first", "REFLECT_VERIFIER_CA": str(authority.certificate)}
        done = run(**known)
        assert done.returncode == 0, done.stdout + done.stderr
        for missing, told in (
            ("REFLECT_VERIFIER_TOKEN", "401 (expired)"),
            ("REFLECT_VERIFIER_CA", "is not trusted"),
        ):
            refused = run(**{name: value for name, value in known.items() if name != missing})
            assert refused.returncode != 0
            assert told in refused.stdout + refused.stderr


def test_a_port_that_cannot_be() -> None:
    found = failure("http://127.0.0.1:99999")
    assert told(found) == (78, "InvalidSpec")
    assert "spec.task.verifier.http.url: " in found.message


def test_no_proxy_stands_before_what_runs_beside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", free_address())
    monkeypatch.setenv("NO_PROXY", "")
    with verifier_server() as asked:
        assert service(asked.url, beside=True).judge(items(1))[0].correct
        assert told(failure(asked.url, patience=Patience(0.2))) == (75, "DependencyUnavailable")
