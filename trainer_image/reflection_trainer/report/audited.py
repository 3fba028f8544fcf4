"""How the verifier stood its audit, in words."""

from __future__ import annotations

from ..verify.audit_file import AuditRecord


def audited(record: AuditRecord | None) -> str:
    """A sentence from the figures of an audit; empty where there are none."""
    found = record.figures if record else None
    if found is None:
        return ""
    parts = [
        f"{found.sample:,} answers were judged twice, {found.flaky:,} of them differently",
        f"{found.canaries_accepted:,} of {found.canaries:,} canaries, which are wrong, were accepted",
    ]
    if found.gold:
        parts.append(f"{found.gold_refused:,} of {found.gold:,} answers known to be right were refused")
    return f"Audit of the verifier: {'; '.join(parts)}."
