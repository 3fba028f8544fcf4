"""scripts/find-python.sh and deps-system.sh on machines that lack something: stand-ins for python, apt-get and id."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
NODES = ("containerd", "runc", "iptables", "ip")


class Machine:
    """A machine whose whole PATH is one folder."""

    def __init__(self, folder: Path) -> None:
        self.bin = folder / "bin"
        self.bin.mkdir()
        for tool in ("sh", "dirname", "chmod", "rm"):
            (self.bin / tool).symlink_to(f"/bin/{tool}")
        self.log = folder / "apt.log"
        self.policy = folder / "policy-rc.d"
        """What decides whether services of packages are started."""
        self.cni = folder / "cni"
        self.provide("id", "echo 0")

    def provide(self, name: str, body: str) -> None:
        (self.bin / name).unlink(missing_ok=True)
        (self.bin / name).write_text(f"#!/bin/sh\n{body}\n")
        (self.bin / name).chmod(0o755)

    def provide_python(self, name: str, version: str, *, lacks: str = "nothing at all") -> None:
        """A Python of that version; a program that mentions `lacks` fails, as an import of it would."""
        major, minor = version.split(".")
        body = f"""
case "$2" in
  *{shlex.quote(lacks)}*) exit 1 ;;
  *version_info*"(3, 11)"*) [ {major} -eq 3 ] && [ {minor} -ge 11 ]; exit ;;
  *version_info*) echo python{version} ;;
esac"""
        self.provide(name, body)

    def provide_apt(self) -> None:
        self.provide("apt-get", f'echo "$@" >> {self.log}')

    def provide_nodes(self) -> None:
        """What a cluster with nodes is made of."""
        for name in NODES:
            self.provide(name, "true")
        self.cni.mkdir()

    def run(self, script: str, *words: str, **env: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["/bin/sh", f"scripts/{script}", *words], cwd=ROOT,
            env={"PATH": str(self.bin), "POLICY_RC_D": str(self.policy), "CNI_PATH": str(self.cni), **env},
            text=True, capture_output=True, check=False,
        )  # fmt: skip


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_prefers_the_version_that_vllm_was_measured_on(machine: Machine) -> None:
    machine.provide_python("python3", "3.13")
    machine.provide_python("python3.11", "3.11")
    assert machine.run("find-python.sh").stdout == f"{machine.bin}/python3.11\n"


def test_passes_over_an_old_python_and_a_dead_shim(machine: Machine) -> None:
    machine.provide("python3.11", "echo 'no such version installed' >&2; exit 127")
    machine.provide_python("python3", "3.10")
    machine.provide_python("python3.12", "3.12")
    assert machine.run("find-python.sh").stdout == f"{machine.bin}/python3.12\n"


def test_a_named_python_is_taken_or_refused_never_replaced(machine: Machine) -> None:
    machine.provide_python("python3.11", "3.11")
    machine.provide_python("old", "3.9")
    assert machine.run("find-python.sh", PYTHON=sys.executable).stdout == f"{sys.executable}\n"
    answer = machine.run("find-python.sh", PYTHON="old")
    assert (answer.returncode, answer.stdout) == (1, "")
    assert answer.stderr == "PYTHON=old is not a working Python 3.11 or newer\n"


def test_silent_when_nothing_is_missing(machine: Machine) -> None:
    machine.provide_python("python3", "3.11")
    machine.provide_apt()
    answer = machine.run("deps-system.sh")
    assert (answer.returncode, answer.stdout, answer.stderr) == (0, "", "")
    assert not machine.log.exists()


@pytest.mark.parametrize(("lacks", "package"), [("ensurepip", "python3.11-venv"), ("libnuma", "libnuma1")])
def test_root_gets_the_missing_package(machine: Machine, lacks: str, package: str) -> None:
    machine.provide_python("python3", "3.11", lacks=lacks)
    machine.provide_apt()
    answer = machine.run("deps-system.sh")
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout == f"system packages: {package}\n"
    assert machine.log.read_text().splitlines()[-1].split()[-1] == package


def test_others_are_told_the_command(machine: Machine) -> None:
    machine.provide_python("python3", "3.12", lacks="ensurepip")
    machine.provide_apt()
    machine.provide("id", "echo 1000")
    answer = machine.run("deps-system.sh")
    assert answer.returncode == 1
    assert "sudo apt-get install python3.12-venv\n" in answer.stderr
    assert not machine.log.exists()


def test_without_apt_the_names_are_listed(machine: Machine) -> None:
    machine.provide_python("python3", "3.11", lacks="libnuma")
    answer = machine.run("deps-system.sh")
    assert answer.returncode == 1
    assert answer.stderr.startswith("missing: libnuma1 (Debian's names)")


def test_a_system_whose_python_stays_too_old_says_so(machine: Machine) -> None:
    machine.provide_python("python3", "3.10")
    machine.provide_apt()
    answer = machine.run("deps-system.sh")
    assert answer.returncode == 1
    assert "python3 is older than 3.11" in answer.stderr
    assert "make PYTHON=" in answer.stderr


@pytest.mark.parametrize(("found", "enough"), [
    ("go1.26", True), ("go1.26.8", True), ("go1.27rc1", True), ("go1.100", True), ("go2.0", True),
    ("go1.19.8", False), ("go1.25.9", False), ("go1.3", False),
])  # fmt: skip
def test_a_go_that_is_too_old_is_named(machine: Machine, found: str, enough: bool) -> None:
    machine.provide_python("python3", "3.11")
    machine.provide("go", f"echo {found}")
    machine.provide("chromium", "true")
    answer = machine.run("deps-system.sh", "tests")
    assert answer.returncode == 0
    assert (f"no Go 1.26 or newer on PATH (found: {found}, " in answer.stderr) is not enough


def test_without_go_or_a_browser_everything_else_is_tested(machine: Machine) -> None:
    """Neither asks anything of the demo; root is no condition for the tests."""
    machine.provide_python("python3", "3.11")
    answer = machine.run("deps-system.sh")
    assert (answer.returncode, answer.stdout, answer.stderr) == (0, "", "")
    machine.provide_apt()
    machine.provide("id", "echo 1000")
    answer = machine.run("deps-system.sh", "tests")
    assert (answer.returncode, answer.stdout) == (0, "")
    assert "found: none" in answer.stderr
    assert "tests of the report's page are left out. Install it or Google Chrome" in answer.stderr


def with_go(machine: Machine) -> Machine:
    machine.provide_python("python3", "3.11")
    machine.provide("go", "echo go1.26")
    machine.provide_apt()
    machine.provide_nodes()
    return machine


def test_the_tests_need_a_browser_and_the_demo_does_not(machine: Machine) -> None:
    with_go(machine).provide(
        "apt-get", f'echo "$@" >> {machine.log}; /bin/ln -sf /bin/true {machine.bin}/chromium'
    )
    assert machine.run("deps-system.sh").stdout == ""
    answer = machine.run("deps-system.sh", "tests")
    assert (answer.returncode, answer.stdout) == (0, "system packages: chromium\n"), answer.stderr
    assert machine.run("deps-system.sh", "tests").stdout == ""


def test_a_browser_that_does_not_start_is_none(machine: Machine) -> None:
    """As on a system whose package only says where else to get it."""
    with_go(machine).provide("chromium-browser", "echo 'install the snap' >&2; exit 1")
    answer = machine.run("deps-system.sh", "tests")
    assert answer.returncode == 0
    assert "This system's package chromium brings none: install Google Chrome." in answer.stderr


def test_another_browser_of_the_family_will_do(machine: Machine) -> None:
    with_go(machine).provide("google-chrome", "true")
    assert machine.run("find-chromium.sh").stdout == f"{machine.bin}/google-chrome\n"
    assert machine.run("deps-system.sh", "tests").stdout == ""


def test_root_gets_what_nodes_consist_of_and_none_of_it_is_started(machine: Machine) -> None:
    with_go(machine).provide("chromium", "true")
    machine.provide(
        "apt-get", f'echo "$@" >> {machine.log}; {machine.policy} >> {machine.log}; echo $? >> {machine.log}'
    )
    for name in ("containerd", "iptables"):
        (machine.bin / name).unlink()
    machine.cni.rmdir()
    assert machine.run("deps-system.sh").stdout == ""
    answer = machine.run("deps-system.sh", "tests")
    packages = "containerd containernetworking-plugins iptables"
    assert (answer.returncode, answer.stdout) == (0, f"system packages: {packages}\n"), answer.stderr
    *_, installed, policy = machine.log.read_text().splitlines()
    assert installed.endswith(packages)
    assert policy == "101"
    assert not machine.policy.exists()


def test_a_policy_about_services_that_is_there_stays(machine: Machine) -> None:
    with_go(machine).provide("chromium", "true")
    machine.cni.rmdir()
    machine.policy.write_text("#!/bin/sh\n")
    assert machine.run("deps-system.sh", "tests").returncode == 0
    assert machine.policy.read_text() == "#!/bin/sh\n"


def test_others_are_told_what_nodes_consist_of_and_test_everything_else(machine: Machine) -> None:
    with_go(machine).provide("chromium", "true")
    machine.provide("id", "echo 1000")
    (machine.bin / "runc").unlink()
    answer = machine.run("deps-system.sh", "tests")
    assert (answer.returncode, answer.stdout) == (0, "")
    assert answer.stderr == (
        "tests on a cluster with nodes are left out: they need root, and here also runc (Debian's names)\n"
    )


def test_the_real_machine_of_this_run_has_everything() -> None:
    answer = subprocess.run(
        ["/bin/sh", "scripts/deps-system.sh", "tests"], cwd=ROOT, text=True, capture_output=True, check=False,
        env={"PATH": os.environ["PATH"], "PYTHON": sys.executable},
    )  # fmt: skip
    assert (answer.returncode, answer.stdout) == (0, ""), answer.stderr
