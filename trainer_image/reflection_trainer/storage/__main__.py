"""`python -m reflection_trainer.storage URI`: the unfinished uploads below a prefix, listed or aborted (`reflect uploads`)."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from ..errors import StageFailure
from .open import settings_of

if TYPE_CHECKING:
    from reflection_api.spec import StorageSpec

    from .s3.unfinished import Unfinished

FAILED = 1
INTERRUPTED = 130


def main(argv: list[str] | None = None) -> int:
    """List or abort; returns the exit code: 0, that of a stage for a storage that refuses, or 1."""
    parser = argparse.ArgumentParser(
        prog="python -m reflection_trainer.storage", description="List or abort unfinished uploads."
    )
    parser.add_argument("uri", help="s3://bucket/prefix")
    parser.add_argument("--abort", action="store_true", help="end them")
    parser.add_argument(
        "--older-than", type=float, default=0.0, metavar="HOURS", help="only those begun before"
    )
    parser.add_argument("--settings", default="{}", metavar="JSON", help="endpoint, region, pathStyle")
    parser.add_argument("--json", action="store_true", help="print JSON")
    arguments = parser.parse_args(argv)
    try:
        settings = settings_of(arguments.uri, arguments.settings)
        found = _uploads(settings, timedelta(hours=arguments.older_than), abort=arguments.abort)
    except StageFailure as failure:
        return _fail(failure.message, int(failure.exit_code))
    except ModuleNotFoundError as error:
        return _fail(f"{error.name} is not installed: pip install 'reflect-operator[s3]'", FAILED)
    except KeyboardInterrupt:
        return INTERRUPTED
    _print(found, arguments.uri, aborted=arguments.abort, as_json=arguments.json)
    return 0


def _uploads(settings: StorageSpec, age: timedelta, *, abort: bool) -> list[tuple[str, Unfinished]]:
    """The uploads with the URI of each one's object; on demand they are aborted."""
    from .s3 import Connection
    from .s3 import unfinished as s3

    connection = Connection(settings)
    bucket, _, prefix = settings.uri.removeprefix("s3://").partition("/")
    before = datetime.now(UTC) - age
    found = [upload for upload in s3.unfinished(connection, bucket, prefix) if upload.since <= before]
    for upload in found if abort else ():
        s3.abort(connection, bucket, upload)
    return [(f"s3://{bucket}/{upload.key}", upload) for upload in found]


def _print(found: Sequence[tuple[str, Unfinished]], where: str, *, aborted: bool, as_json: bool) -> None:
    if as_json:
        entries = [
            {"uri": uri, "uploadId": upload.upload_id, "since": upload.since.isoformat(), "aborted": aborted}
            for uri, upload in found
        ]
        print(json.dumps({"uploads": entries}, indent=2))
        return
    for uri, upload in found:
        print(f"{upload.since.astimezone(UTC):%Y-%m-%d %H:%M}Z  {uri}")
    count = f"{len(found)} unfinished upload{'' if len(found) == 1 else 's'}"
    if not found:
        print(f"no unfinished uploads below {where}")
    else:
        print(f"{count} aborted" if aborted else f"{count}; --abort ends them and deletes their parts")


def _fail(message: str, code: int) -> int:
    print(f"error: {message}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
