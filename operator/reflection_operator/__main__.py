"""`python -m reflection_operator`: the operator itself, or with `rbac` the permissions that it needs."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence

from pydantic import Field, ValidationError

try:
    from pydantic_settings import CliApp
except ModuleNotFoundError:
    sys.exit("the operator is not installed with it: pip install 'reflect-operator[operator]'")

from .children.text import to_yaml
from .kube import rbac
from .kube.connection import NoCluster
from .kube.logs import set_up
from .kube.options import PROGRAM, Options

_WRONG_COMMAND_LINE = 2


class RbacOptions(Options):
    """Print the roles and bindings that the operator needs with these options, for `kubectl apply -f -`."""

    service_account: str = Field(
        "reflect-operator", description="Service account of the operator, in lease-namespace."
    )


def main(words: Sequence[str]) -> int:
    """Run; the exit code."""
    try:
        if words[:1] == ["rbac"]:
            wanted = CliApp.run(RbacOptions, cli_args=list(words[1:]))
            objects = rbac.manifests(
                wanted.namespaces,
                wanted.lease_namespace,
                wanted.service_account,
                progress=bool(wanted.progress_url),
            )
            sys.stdout.write(to_yaml(objects))
            return 0
        options = CliApp.run(Options, cli_args=list(words))
    except ValidationError as error:
        for problem in error.errors():
            place = "".join(f"--{str(part).replace('_', '-')}: " for part in problem["loc"][:1])
            print(f"{PROGRAM}: {place}{problem['msg'].removeprefix('Value error, ')}", file=sys.stderr)
        return _WRONG_COMMAND_LINE
    return _run(options)


def _run(options: Options) -> int:
    from .run import run

    set_up(options.log_format, options.log_level)
    try:
        return asyncio.run(run(options))
    except NoCluster as error:
        print(f"{PROGRAM}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
