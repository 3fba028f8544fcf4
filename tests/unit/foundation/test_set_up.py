"""The set-up script: what it refuses, when it has nothing to do, and what makes it work again."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[3]
GLIBC = ("glibc", "2.36")


def load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("set_up", ROOT / "scripts/set_up.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    """scripts/set_up.py, pointed at a checkout in tmp_path whose installation is only recorded."""
    module = load()

    (tmp_path / "requirements").mkdir()
    for name in ("pyproject.toml", "requirements/cpu.lock", "requirements/bootstrap.lock"):
        shutil.copy(ROOT / name, tmp_path / name)
    venv = tmp_path / ".venv"
    monkeypatch.setenv("REFLECT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(module, "ROOT", tmp_path)
    monkeypatch.setattr(module, "PYTHON", venv / "bin/python")
    monkeypatch.setattr(module, "STAMP", venv / "setup.json")
    monkeypatch.setattr(module, "COPY_OF_STAMP", tmp_path / "build/setup.json")
    monkeypatch.setattr(module, "VENV", venv)
    monkeypatch.setattr(module, "check_disk", lambda folder, needed: None)

    def install(cache: Path) -> None:
        (venv / "bin").mkdir(parents=True, exist_ok=True)
        (venv / "bin/python").write_bytes(b"x" * 5000)
        module.installs += 1

    module.installs = 0  # type: ignore[attr-defined]
    monkeypatch.setattr(module, "install", install)
    return module


def test_the_first_run_installs_and_says_what(script: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    script.main()
    said = capsys.readouterr().out
    packages = script.count_packages(ROOT / "requirements/cpu.lock")
    assert f"set-up: {packages} packages into .venv" in said
    assert "set-up done in" in said
    result = json.loads(script.COPY_OF_STAMP.read_text())
    assert result["packages"] == packages > 100
    assert result["bytes"] >= 5000
    assert result["downloadSeconds"] >= 0


def test_the_second_run_is_silent_and_keeps_the_measurement(
    script: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    script.main()
    first = script.COPY_OF_STAMP.read_text()
    script.COPY_OF_STAMP.unlink()
    capsys.readouterr()
    script.main()
    assert capsys.readouterr().out == ""
    assert script.installs == 1
    assert script.COPY_OF_STAMP.read_text() == first, (
        "`make clean` must not lose the seconds that the demo quotes"
    )


def change_lock(root: Path) -> None:
    lock = root / "requirements/cpu.lock"
    lock.write_text(lock.read_text().replace("2026", "2027"))


def reword_lock(root: Path) -> None:
    lock = root / "requirements/cpu.lock"
    lock.write_text(lock.read_text().replace("# via", "# wanted by"))


def change_entry_point(root: Path) -> None:
    project = root / "pyproject.toml"
    project.write_text(project.read_text().replace("kubectl-reflect =", "kubectl-reflections ="))


def remove_python(root: Path) -> None:
    (root / ".venv/bin/python").unlink()


def spoil_stamp(root: Path) -> None:
    (root / ".venv/setup.json").write_text('{"inputs": ')


@pytest.mark.parametrize("change", [change_lock, change_entry_point, remove_python, spoil_stamp])
def test_works_again_when_its_inputs_changed(script: ModuleType, change: object) -> None:
    script.main()
    change(script.ROOT)  # type: ignore[operator]
    script.main()
    assert script.installs == 2


def change_a_linter_setting(root: Path) -> None:
    project = root / "pyproject.toml"
    project.write_text(project.read_text().replace("line-length = 110", "line-length = 111"))


@pytest.mark.parametrize("change", [change_a_linter_setting, reword_lock])
def test_stays_done_when_something_else_changed(script: ModuleType, change: object) -> None:
    script.main()
    change(script.ROOT)  # type: ignore[operator]
    script.main()
    assert script.installs == 1


def test_while_installing_nothing_counts_as_done(script: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """So a kill half-way, and then the old lock file again, is not taken for the set-up that once was complete."""
    script.main()
    change_lock(script.ROOT)
    on_disk = []
    monkeypatch.setattr(script, "install", lambda cache: on_disk.append(script.read_stamp()["inputs"]))
    script.main()
    assert on_disk == [""]


def test_a_failed_installation_is_not_taken_for_done_and_its_seconds_count(
    script: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    script.main()
    change_lock(script.ROOT)
    now = iter([100.0, 130.0, 200.0, 205.0])
    monkeypatch.setattr(script.time, "monotonic", lambda: next(now))

    def fail(cache: Path) -> None:
        raise script.CannotSetUp("no network")

    with monkeypatch.context() as patch:
        patch.setattr(script, "install", fail)
        with pytest.raises(script.CannotSetUp):
            script.main()
    script.main()
    assert script.installs == 2
    assert json.loads(script.COPY_OF_STAMP.read_text())["downloadSeconds"] == pytest.approx(35, abs=0.5)


def test_runs_installers_away_from_other_environments(
    script: ModuleType, monkeypatch: pytest.MonkeyPatch, capfd
) -> None:
    monkeypatch.setenv("VIRTUAL_ENV", "/elsewhere")
    monkeypatch.setenv("PYTHONPATH", "/elsewhere")
    print_env = "import os; print([os.environ.get(n) for n in ('VIRTUAL_ENV', 'PYTHONPATH')], os.environ['UV_CACHE_DIR'])"
    script.run(sys.executable, "-c", print_env, cache=Path("/cache"))
    assert capfd.readouterr().out == "  [None, None] /cache/uv\n"


def test_shows_an_installer_s_words_but_not_each_package(
    script: ModuleType, capfd: pytest.CaptureFixture[str]
) -> None:
    lines = "Resolved 2 packages\\n + torch==2.13.0\\n - torch==2.12.0\\nerror: no space left"
    with pytest.raises(script.CannotSetUp, match="carries on"):
        script.run(sys.executable, "-c", f"import sys; print('{lines}'); sys.exit(2)", cache=Path("/cache"))
    assert capfd.readouterr().out == "  Resolved 2 packages\n  error: no space left\n"


@pytest.mark.parametrize(
    ("system", "machine", "python", "libc", "words"),
    [
        ("Darwin", "arm64", (3, 11), ("", ""), "are for Linux, this is Darwin"),
        ("Linux", "x86_64", (3, 11), ("glibc", "2.28"), r"need glibc 2.31 .* this is glibc 2.28"),
        ("Linux", "x86_64", (3, 11), ("", ""), "this is another C library"),
        ("Linux", "x86_64", (3, 15), GLIBC, r"no build for Python 3.15.*make PYTHON="),
    ],
)
def test_refuses_a_machine_without_builds(script, system, machine, python, libc, words) -> None:
    with pytest.raises(script.CannotSetUp, match=words):
        script.check_platform(system, machine, python, libc)


@pytest.mark.parametrize(
    ("machine", "python", "note"),
    [
        ("x86_64", (3, 11), ""),
        ("x86_64", (3, 12), "vLLM on a processor was measured on Python 3.11, this is 3.12"),
        ("aarch64", (3, 11), "measured on x86_64 only, this is aarch64"),
    ],
)
def test_says_what_was_not_measured(script, machine, python, note) -> None:
    assert script.check_platform("Linux", machine, python, GLIBC) == note


def test_refuses_a_full_disk_before_downloading(tmp_path: Path) -> None:
    module = load()
    module.check_disk(tmp_path / "not/yet/there", 0)
    with pytest.raises(module.CannotSetUp, match=r"GB free, about 1000000 GB needed.*REFLECT_CACHE"):
        module.check_disk(tmp_path / "not/yet/there", 1e6)


PLACES = [
    ({"REFLECT_CACHE": "/mnt/cache", "XDG_CACHE_HOME": "/xdg"}, "/mnt/cache"),
    ({"XDG_CACHE_HOME": "/xdg"}, "/xdg/reflect-operator"),
    ({}, str(Path("~/.cache/reflect-operator").expanduser())),
]


@pytest.mark.parametrize(("environ", "folder"), PLACES)
def test_the_cache_folder_is_outside_the_checkout(environ: dict[str, str], folder: str) -> None:
    assert load().cache_folder(environ) == Path(folder)


@pytest.mark.parametrize(("environ", "folder"), PLACES)
def test_the_makefile_means_the_same_folder(environ: dict[str, str], folder: str) -> None:
    answer = subprocess.run(
        ["make", "--no-print-directory", "--eval", "show: ; @echo $$UV_CACHE_DIR", "show"],
        cwd=ROOT, env={"PATH": os.environ["PATH"], "HOME": str(Path.home()), **environ},
        text=True, capture_output=True, check=True,
    )  # fmt: skip
    assert answer.stdout == f"{folder}/uv\n"
