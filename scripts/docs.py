"""Writes what the code gives: reference pages and parts of the chart (`make docs`). With --check it only says what is stale."""

from __future__ import annotations

import difflib
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGES = {
    "docs/reference/cli.md": ("reflection_operator.cli.reference",),
    "docs/reference/operator.md": ("reflection_operator.kube.reference",),
    "docs/reference/reasons.md": ("reflection_api.reference", "reasons"),
    "docs/reference/resource.md": ("reflection_api.reference", "resource"),
    "docs/reference/verifiers.md": ("reflection_trainer.verify.reference",),
    "examples/own-verifier/openapi.json": ("reflection_api.reference", "verifier-service"),
    "helm/reflect-operator/README.md": ("scripts.chart", "readme"),
    "helm/reflect-operator/files/crd.yaml": ("scripts.chart", "crd"),
    "helm/reflect-operator/templates/_rules.tpl": ("scripts.chart", "rules"),
    "helm/reflect-operator/values.yaml": ("scripts.chart", "values"),
}
"""Each page with the module that prints it."""
SHOWN_LINES = 40


def generated(module: tuple[str, ...]) -> str:
    """What a module prints."""
    command = [sys.executable, "-m", *module]
    return subprocess.run(command, check=True, cwd=ROOT, text=True, stdout=subprocess.PIPE).stdout


def write(page: Path, text: str) -> None:
    """Bring a page up to date and say so."""
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text(text)
    print(page.relative_to(ROOT))


def difference(name: str, committed: str, text: str) -> list[str]:
    """What would change, as a diff."""
    lines = difflib.unified_diff(
        committed.splitlines(), text.splitlines(), name, "generated", n=1, lineterm=""
    )
    return list(lines)[:SHOWN_LINES]


def main(arguments: list[str]) -> int:
    """Write the pages that are out of date, or name them; 1 where --check finds one."""
    check = arguments == ["--check"]
    stale = False
    for name, module in PAGES.items():
        page, text = ROOT / name, generated(module)
        committed = page.read_text() if page.exists() else ""
        if text == committed:
            continue
        if check:
            stale = True
            print("\n".join(difference(name, committed, text)))
            print(f"{name} is not what the code gives: run `make docs` and commit it")
        else:
            write(page, text)
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
