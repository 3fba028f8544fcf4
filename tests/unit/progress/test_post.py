"""The client in the stages: it posts to a real HTTPS server, and whatever becomes of that, the work goes on."""

from __future__ import annotations

import http.server
import ssl
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from reflection_api.contract import ProgressReport
from reflection_api.stages import Stage
from reflection_operator.progress.certificates import new_authority, new_server
from reflection_trainer.progress import Progress, post

PATIENCE_S = 30
REPORT = ProgressReport(stage=Stage.ROLLOUT, done=1, total=2, unit="answers", updated_at=1.0)


class Heard:
    """What the server was told, and what it answers."""

    def __init__(self) -> None:
        self.reports: list[tuple[str, ProgressReport]] = []
        self.codes: list[int] = []
        self.more = threading.Condition()

    def wait_for(self, count: int) -> list[tuple[str, ProgressReport]]:
        with self.more:
            assert self.more.wait_for(lambda: len(self.reports) >= count, PATIENCE_S)
        return self.reports


@pytest.fixture
def heard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Heard]:
    """A server with a certificate of the operator's kind, and the environment of a pod that is to report to it."""
    found = Heard()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            with found.more:
                found.reports.append(
                    (self.headers["Authorization"], ProgressReport.model_validate_json(body))
                )
                found.more.notify_all()
            self.send_response(found.codes.pop(0) if found.codes else 204)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    now = datetime.now(UTC)
    authority = new_authority(now)
    pair = new_server(authority, "127.0.0.1", now)
    (tmp_path / "server.pem").write_bytes(pair.certificate + pair.key)
    (tmp_path / "ca.crt").write_bytes(authority.certificate)
    (tmp_path / "token").write_text("first\n")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "server.pem")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("REFLECT_PROGRESS_URL", f"https://127.0.0.1:{server.server_port}/v1/progress")
    monkeypatch.setenv("REFLECT_PROGRESS_TOKEN_FILE", str(tmp_path / "token"))
    monkeypatch.setenv("REFLECT_PROGRESS_CA", str(tmp_path / "ca.crt"))
    monkeypatch.setattr(post, "_APART_S", 0.05)
    post.poster.cache_clear()
    yield found
    post.poster.cache_clear()
    server.shutdown()
    server.server_close()


def progress() -> Progress:
    return Progress(Stage.ROLLOUT, index=2, unit="answers", total=10)


def test_the_newest_report_arrives(heard: Heard) -> None:
    progress().update(4, message="shard 1", metrics={"tokensPerSecond": 7.5})
    token, report = heard.wait_for(1)[0]
    assert token == "Bearer first"
    assert (report.stage, report.index, report.done, report.total) == (Stage.ROLLOUT, 2, 4, 10)
    assert (report.message, report.metrics) == ("shard 1", {"tokensPerSecond": 7.5})


def test_a_token_that_was_replaced_is_read_again(heard: Heard, tmp_path: Path) -> None:
    counter = progress()
    counter.update(1, force=True)
    heard.wait_for(1)
    (tmp_path / "token").write_text("second\n")
    counter.update(2, force=True)
    assert heard.wait_for(2)[1][0] == "Bearer second"


def test_refusals_do_not_end_it_and_old_reports_are_not_kept(
    heard: Heard, caplog: pytest.LogCaptureFixture
) -> None:
    heard.codes = [503, 429]
    counter = progress()
    with caplog.at_level("INFO"):
        for done in range(1, 4):
            counter.update(done, force=True)
            heard.wait_for(done)
    assert [report.done for _, report in heard.reports] == [1, 2, 3]
    said = [record.message for record in caplog.records if "progress is not reported" in record.message]
    assert len(said) == 1
    assert "503" in said[0]


@pytest.mark.parametrize("broken", ["token", "ca.crt"])
def test_a_volume_that_is_not_as_it_should_be_costs_nothing_but_the_report(
    heard: Heard, tmp_path: Path, broken: str
) -> None:
    whole = (tmp_path / broken).read_text()
    (tmp_path / broken).unlink()
    poster = post.poster()
    assert poster is not None
    assert poster._send(REPORT) > 0
    assert heard.reports == []
    (tmp_path / broken).write_text(whole)
    poster._send(REPORT)
    assert len(heard.reports) == 1


def test_another_server_is_told_nothing(heard: Heard, tmp_path: Path) -> None:
    """One that the authority has not signed gets neither the report nor the token."""
    whole = (tmp_path / "ca.crt").read_bytes()
    (tmp_path / "ca.crt").write_bytes(new_authority(datetime.now(UTC)).certificate)
    poster = post.poster()
    assert poster is not None
    poster._send(REPORT)
    assert heard.reports == []
    (tmp_path / "ca.crt").write_bytes(whole)
    poster._send(REPORT)
    assert len(heard.reports) == 1


def test_where_nobody_asks_nothing_is_posted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REFLECT_PROGRESS_URL", raising=False)
    post.poster.cache_clear()
    assert post.poster() is None
    progress().update(1, force=True)
    post.poster.cache_clear()
