"""Requests to S3: tried again while that helps, with credentials that may be replaced meanwhile, and explained when not."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar

from reflection_api.contract import STORAGE_PATIENCE_VARIABLE
from reflection_api.spec import StorageSpec

from ...patience import Patience
from ..subject import Subject
from .access import Access, open_access
from .problems import ERRORS, Asked, Kind, expired, explained, kind_of, words

logger = logging.getLogger(__name__)

_DAMAGED_TRIES = 3
"""What is damaged on the way arrives whole at the next try; what is stored damaged never does."""

T = TypeVar("T")


class Missing(Exception):
    """There is no such object or upload."""


class Differs(Exception):
    """The object is not as the request's condition says."""


class Stopped(Exception):
    """Another part of the same work failed: trying again is of no use."""


class Connection:
    """An S3 service as the settings describe it. May be used by several threads."""

    def __init__(
        self, settings: StorageSpec, subject: Subject | None = None, *, patience: Patience | None = None
    ) -> None:
        self._settings = settings
        self._subject = subject or Subject(uri=settings.uri)
        self.patience = patience or Patience.of_environment(STORAGE_PATIENCE_VARIABLE)
        self._lock = threading.Lock()
        self._access: Access | None = None
        self._worked = False
        """Whether the storage has taken the credentials so far: if so, a refusal may mean that they are being replaced."""

    def run(
        self,
        action: str,
        request: Callable[[Any], T],
        *,
        uri: str = "",
        stop: threading.Event | None = None,
        patience: Patience | None = None,
    ) -> T:
        """Make a request, as often as it takes.

        Args:
            action: the permission that it takes, for example PutObject.
            request: makes it with the client that it is given, and reads the whole answer.
            uri: of the one object that is read: a damaged one is named. Default: no object is.
            stop: when set, a request that failed is not tried again.
            patience: Default: the connection's.

        Raises:
            Missing: there is no such object or upload.
            Differs: the object is not as the request's condition says.
            Stopped: it failed, and `stop` is set.
            StageFailure: everything else, explained.
        """
        attempts = _Attempts(patience or self.patience)
        while True:
            access: Access | None = None
            try:
                access = self._current()
                answer = request(access.client)
            except ERRORS as error:
                pause = self._after(error, access, attempts, action, uri)
                if stop is not None and stop.wait(pause):
                    raise Stopped from error
                if stop is None:
                    time.sleep(pause)
            else:
                self._worked = True
                if attempts.failures:
                    logger.info("storage: s3:%s was done after %.0f s", action, attempts.elapsed())
                return answer

    def _after(
        self, error: Exception, access: Access | None, attempts: _Attempts, action: str, uri: str
    ) -> float:
        """Seconds to wait before the next try; raises where there is none."""
        kind = kind_of(error)
        if kind is Kind.ABSENT:
            raise Missing from error
        if kind is Kind.DIFFERS:
            self._worked = True
            raise Differs from error
        pause = attempts.pause()
        renewed = kind is Kind.CREDENTIALS and access is not None and self._renewed(access)
        if pause is None or not (renewed or self._may_pass(kind, error, attempts)):
            endpoint, key = (access.endpoint, access.key) if access else ("", "")
            asked = Asked(action, self._subject, endpoint, key, self._worked, uri)
            raise explained(error, asked, tried=attempts.elapsed()) from error
        if renewed:
            logger.warning("storage: credentials were refused (%s) and replaced", words(error))
            return 0.0 if attempts.failures == 1 else pause
        if attempts.failures == 1:
            logger.warning(
                "storage: s3:%s: %s; trying again for up to %.0f s",
                action,
                words(error),
                attempts.patience.seconds,
            )
        return pause

    def _may_pass(self, kind: Kind, error: Exception, attempts: _Attempts) -> bool:
        match kind:
            case Kind.PASSING:
                return True
            case Kind.CREDENTIALS:
                return self._worked or expired(error)
            case Kind.DAMAGED:
                return attempts.failures < _DAMAGED_TRIES
            case _:
                return False

    def _current(self) -> Access:
        with self._lock:
            if self._access is None:
                self._access = open_access(self._settings)
            return self._access

    def _renewed(self, refused: Access) -> bool:
        """Whether there are other credentials than those that were refused."""
        with self._lock:
            if self._access is refused:
                try:
                    self._access = open_access(self._settings)
                except ERRORS:  # half a Secret, or a token file that is being written
                    return False
            return self._access is not None and self._access.fingerprint != refused.fingerprint


class _Attempts:
    """The tries of one request."""

    def __init__(self, patience: Patience) -> None:
        self.patience = patience
        self.failures = 0
        self._first = 0.0

    def pause(self) -> float | None:
        """Count a failure; seconds until the next try, None where there is none."""
        self.failures += 1
        if self.failures == 1:
            self._first = time.monotonic()
        return self.patience.pause(self.failures, self.elapsed())

    def elapsed(self) -> float:
        """Seconds since the first failure."""
        return time.monotonic() - self._first if self.failures else 0.0
