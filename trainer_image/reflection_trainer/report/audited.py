"""How the verifier stood its audit, in words."""

from __future__ import annotations

from collections.abc import Mapping

from ..verify.dataset import AUDIT


def audited(figures: Mapping[str, float]) -> str:
    """A sentence from the figures of a dataset; empty where there was no audit."""
    found = {
        name.removeprefix(AUDIT): f"{value:,.0f}" for name, value in figures.items() if name.startswith(AUDIT)
    }
    if "sample" not in found:
        return ""
    parts = [
        f"{found['sample']} answers were judged twice, {found.get('flaky', '0')} of them differently",
        f"{found.get('canariesAccepted', '0')} of {found.get('canaries', '0')} canaries, which are wrong, were accepted",
    ]
    if found.get("gold", "0") != "0":
        parts.append(
            f"{found.get('goldRefused', '0')} of {found['gold']} answers known to be right were refused"
        )
    return f"Audit of the verifier: {'; '.join(parts)}."
