"""Posting reports to the operator, beside the work: neither a server that is away nor one that is slow holds it up."""

from __future__ import annotations

import logging
import os
import ssl
import threading
import time
from functools import cache
from pathlib import Path

import httpx
from reflection_api.contract import (
    PROGRESS_CA_VARIABLE,
    PROGRESS_TOKEN_FILE_VARIABLE,
    PROGRESS_URL_VARIABLE,
    ProgressReport,
)

_APART_S = 5.0
"""Between two posts: the status on the resource is not written more often."""
_LONGEST_PAUSE_S = 60.0
_LIMIT_S = 10.0
_TRIES = 3
"""To connect."""
logger = logging.getLogger(__name__)


@cache
def poster() -> Poster | None:
    """The one of this process; None where nobody asked for reports."""
    url = os.environ.get(PROGRESS_URL_VARIABLE)
    token, authority = (os.environ.get(name) for name in (PROGRESS_TOKEN_FILE_VARIABLE, PROGRESS_CA_VARIABLE))
    return Poster(url, Path(token), Path(authority)) if url and token and authority else None


class Poster:
    """Sends the newest report, and lets go of older ones that could not be sent."""

    def __init__(self, url: str, token: Path, authority: Path) -> None:
        self._url, self._token, self._authority = url, token, authority
        self._newest: ProgressReport | None = None
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._failures = 0

    def offer(self, report: ProgressReport) -> None:
        """Have a report sent, soon and in the place of all that wait."""
        with self._changed:
            self._newest = report
            self._changed.notify()
        if self._thread is None:
            self._thread = threading.Thread(target=self._send_all, name="progress", daemon=True)
            self._thread.start()

    def _send_all(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._newest is not None)
                report, self._newest = self._newest, None
            if report is not None:
                time.sleep(self._send(report))

    def _send(self, report: ProgressReport) -> float:
        """Send a report; the seconds to wait before the next one."""
        try:
            context = ssl.create_default_context(cafile=str(self._authority))
            headers = {"Authorization": f"Bearer {self._token.read_text().strip()}"}
            body = report.to_json()
            # Neither a proxy nor a .netrc of the image has a part in this.
            # With several replicas the first address may be one that waits for its turn.
            transport = httpx.HTTPTransport(verify=context, trust_env=False, retries=_TRIES - 1)
            with httpx.Client(transport=transport, timeout=_LIMIT_S, trust_env=False) as client:
                answer = client.post(
                    self._url, content=body, headers=headers | {"Content-Type": "application/json"}
                )
            answer.raise_for_status()
        except (httpx.HTTPError, OSError, ValueError) as error:
            return self._failed(error)
        self._failures = 0
        return _APART_S

    def _failed(self, error: Exception) -> float:
        """Said once for each time that it begins to fail: the stage goes on, and this is not what matters in its log."""
        if self._failures == 0:
            logger.info("progress is not reported for now, and the stage goes on: %s", str(error)[:300])
        self._failures += 1
        return min(_LONGEST_PAUSE_S, _APART_S * (1 << min(self._failures - 1, 4)))
