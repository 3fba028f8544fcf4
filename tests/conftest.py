"""What holds for every test: a clean environment, no network but loopback, and an honest account of what did not run."""

from __future__ import annotations

import atexit
import importlib.util
import ipaddress
import os
import shutil
import socket
import tempfile
from collections import Counter, defaultdict
from collections.abc import Generator, Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from .support.file_order import FileByFile, turns

CI = os.environ.get("CI", "").lower() in {"1", "true", "yes"}
TESTS = Path(__file__).parent
# What a run of everything does not touch, with CI=true either.
OTHER_ROOMS = {
    "soak": "hours in all, `make soak`",
    "cluster": "two files of it are; the others by `make soak ONLY=cluster`",
    "gpu": "on a machine with a GPU, `make gpu`",
}
QUICK_FIRST = ({"unit"}, {"cluster", "integration"})

# A developer's or a pod's settings must not decide whether a test passes.
FOREIGN_PREFIXES = (
    "ACCELERATE_", "AWS_", "HF_", "HUGGING", "JOB_COMPLETION_", "KUBE", "PET_", "REFLECT_", "TRL_", "VLLM_",
)  # fmt: skip
FOREIGN_NAMES = {
    "FORCE_COLOR", "GITHUB_ACTIONS", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT", "PYTHONPATH", "RANK", "WORLD_SIZE",
    # With it every process that a test starts would compile torch and its like anew: seconds for each.
    "PYTHONDONTWRITEBYTECODE",
}  # fmt: skip
KEPT = {"KUBEBUILDER_ASSETS", "REFLECT_CACHE", "REFLECT_TEST_KUBECONFIG"}


def _clean_environment() -> None:
    """Runs before any library is imported: several read their variables at import. Child processes inherit the result."""
    for name in list(os.environ):
        if (name.startswith(FOREIGN_PREFIXES) or name in FOREIGN_NAMES) and name not in KEPT:
            del os.environ[name]
    hub_cache = tempfile.mkdtemp(prefix="reflect-tests-hf-")
    atexit.register(shutil.rmtree, hub_cache, ignore_errors=True)
    os.environ.update(
        # Neither the user's keys nor a search for those of a machine in a cloud.
        AWS_CONFIG_FILE="/nowhere",
        AWS_EC2_METADATA_DISABLED="true",
        AWS_SHARED_CREDENTIALS_FILE="/nowhere",
        COLUMNS="120",
        DO_NOT_TRACK="1",
        HF_HOME=hub_cache,
        HF_HUB_DISABLE_TELEMETRY="1",
        HF_HUB_OFFLINE="1",
        NO_COLOR="1",
        # On busy cores two threads are slower than one, and one gives the same sums every time.
        OMP_NUM_THREADS="1",
        TOKENIZERS_PARALLELISM="false",
        TRL_EXPERIMENTAL_SILENCE="1",
    )


_clean_environment()
settings.register_profile("local", deadline=None, print_blob=True)
settings.register_profile("ci", deadline=None, print_blob=True, derandomize=True)
settings.load_profile("ci" if CI else "local")


class NetworkUsed(RuntimeError):
    """A test reached for the network. Not an OSError, so that no retry loop swallows it."""


def _is_local(host: Any) -> bool:
    if host in (None, "", b"", "localhost", b"localhost", socket.gethostname()):
        return True
    try:
        address = ipaddress.ip_address(host.decode() if isinstance(host, bytes) else host)
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


def _forbid_network() -> None:
    connect, connect_ex, getaddrinfo = socket.socket.connect, socket.socket.connect_ex, socket.getaddrinfo

    def check(sock: socket.socket, address: Any) -> None:
        if sock.family in (socket.AF_INET, socket.AF_INET6) and not _is_local(address[0]):
            raise NetworkUsed(f"a test tried to connect to {address}: tests may use loopback only")

    def local_connect(sock: socket.socket, address: Any) -> None:
        check(sock, address)
        connect(sock, address)

    def local_connect_ex(sock: socket.socket, address: Any) -> int:
        check(sock, address)
        return connect_ex(sock, address)

    def local_getaddrinfo(host: Any, *args: Any, **kwargs: Any) -> Any:
        if not _is_local(host):
            raise NetworkUsed(f"a test asked for the address of {host!r}: tests may use loopback only")
        return getaddrinfo(host, *args, **kwargs)

    socket.socket.connect = local_connect  # type: ignore[method-assign]
    socket.socket.connect_ex = local_connect_ex  # type: ignore[method-assign]
    socket.getaddrinfo = local_getaddrinfo


def pytest_configure(config: pytest.Config) -> None:
    _forbid_network()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> FileByFile | None:
    """Who takes which tests; None leaves it to pytest-xdist."""
    return FileByFile(config, log) if config.getoption("dist") == "loadfile" else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Quick tests first. Outside tests/unit other people's libraries are at work, whose warnings are theirs."""

    def room(item: pytest.Item) -> int:
        name = item.path.relative_to(TESTS).parts[0]
        return next((place for place, rooms in enumerate(QUICK_FIRST) if name in rooms), len(QUICK_FIRST))

    places: dict[Path, float] = {}
    items.sort(key=room)
    for _, members in groupby(items, key=room):
        places |= turns(list(dict.fromkeys(item.path.relative_to(TESTS) for item in members)))
    items.sort(key=lambda item: (room(item), places[item.path.relative_to(TESTS)]))
    without_vllm = pytest.mark.skip(reason="vLLM is not installed: see docs/machine.md")
    vllm_is_there = importlib.util.find_spec("vllm") is not None
    for item in items:
        if not vllm_is_there and item.get_closest_marker("vllm"):
            item.add_marker(without_vllm)
        if room(item) > 0:
            item.add_marker(pytest.mark.filterwarnings("default"), append=False)
        if "s3_server" in getattr(item, "fixturenames", ()):
            # The first one on a machine waits for the server to be built.
            item.add_marker(pytest.mark.timeout(300, func_only=True))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup() -> Generator[None, Any, Any]:
    """Whatever asks for a server on a machine that cannot build it is left out, with the reason."""
    from .support.go_tools import GoMissing

    try:
        return (yield)
    except GoMissing as missing:
        pytest.skip(str(missing))


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A real S3 server, for all tests of the run."""
    from .support.s3_server import S3Server

    with S3Server(tmp_path_factory.mktemp("s3")) as server:
        yield server


@pytest.fixture
def s3_proxy(s3_server: Any) -> Iterator[Any]:
    """What stands between the server and a client that the test treats badly."""
    from .support.fault_proxy import FaultProxy

    with FaultProxy(s3_server.port) as proxy:
        yield proxy


def _left_out(reporter: Any) -> Counter[str]:
    """How many tests did not run, by reason."""
    reasons: Counter[str] = Counter()
    for report in reporter.stats.get("skipped", []):
        reasons[str(report.longrepr[2]).removeprefix("Skipped: ")] += 1
    for _ in reporter.stats.get("deselected", []):
        reasons["deselected on the command line"] += 1
    return reasons


def _time_by_room(reporter: Any) -> dict[str, float]:
    """Seconds of all tests of a folder, with what they set up."""
    found: dict[str, float] = defaultdict(float)
    for report in (each for reports in reporter.stats.values() for each in reports):
        if isinstance(report, pytest.TestReport):
            found["/".join(Path(report.location[0]).parts[1:-1])] += report.duration
    return found


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """A continuous-integration machine must be able to run everything."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None:
        return  # one of several processes: the one that hears from all of them decides
    if CI and exitstatus == pytest.ExitCode.OK and _left_out(reporter):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: Any) -> None:
    terminalreporter.section("left out")
    reasons = _left_out(terminalreporter)
    for reason, count in sorted(reasons.items()):
        terminalreporter.line(f"{count:5d}  {reason}")
    if reasons and CI:
        terminalreporter.line("CI is set: nothing may be left out, so this run fails", red=True)
    if not reasons:
        terminalreporter.line("nothing")
    if terminalreporter.config.args_source is pytest.Config.ArgsSource.TESTPATHS:
        terminalreporter.section("minutes by room")
        for room, seconds in sorted(_time_by_room(terminalreporter).items(), key=lambda each: -each[1]):
            terminalreporter.line(f"{seconds / 60:6.1f}  {room}")
        for room, why in OTHER_ROOMS.items():
            files = len(list((TESTS / room).glob("test_*.py")))
            terminalreporter.line(f"not part of this: tests/{room}, {files} files ({why})")
