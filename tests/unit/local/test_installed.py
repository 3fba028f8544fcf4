"""What an extra asks for, from the records of the packages."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError

import pytest
from reflection_operator.local import installed
from reflection_operator.local.installed import ExtraMissing, check_installed

ASKED = [
    "rich>=15",
    "torch==2.13.0; extra == 'trainer'",
    'trl==1.16.0 ; extra == "trainer"',
    "kopf<2,>=1.45; extra == 'operator'",
    "only-there; sys_platform == 'win32' and extra == 'trainer'",
]


@pytest.fixture
def there(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Names of the distributions that are installed."""
    names: set[str] = set()

    def version(name: str) -> str:
        if name in names:
            return "1"
        raise PackageNotFoundError(name)

    monkeypatch.setattr(installed, "requires", lambda _: ASKED)
    monkeypatch.setattr(installed, "version", version)
    return names


def test_all_there(there: set[str]) -> None:
    there |= {"torch", "trl"}
    check_installed("trainer", by="reflect run")


def test_what_is_missing_is_named_with_the_command(there: set[str]) -> None:
    there.add("torch")
    with pytest.raises(ExtraMissing) as caught:
        check_installed("trainer", by="reflect run")
    assert str(caught.value) == (
        "reflect run needs the extra trainer, of which trl is not installed: pip install 'reflect-operator[trainer]'"
    )


def test_the_trainer_is_installed_where_the_tests_run() -> None:
    check_installed("trainer", by="reflect run")
    assert "torch" in list(installed._asked_for("trainer"))
