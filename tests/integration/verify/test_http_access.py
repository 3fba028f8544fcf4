"""Who may ask a service of one's own, and which service is believed to be it: tokens and certificates."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
from reflection_trainer.patience import Patience

from ...support.certificates import Authority
from ...support.verifier_server import Asked, Request, verifier_server
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
        assert (
            "name its authority's in spec.task.verifier.http.caSecret, or correct the address"
            in found.message
        )

    def test_that_are_none(self, secure: Asked, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        (tmp_path / "no.crt").write_text("nonsense")
        for file, words in (("no.crt", "no certificates in PEM format"), ("gone.crt", "No such file")):
            monkeypatch.setenv("REFLECT_VERIFIER_CA", str(tmp_path / file))
            found = failure(secure.url, authority=True)
            assert told(found) == (78, "InvalidSpec")
            assert f"caSecret: {tmp_path / file}: {words}" in found.message
