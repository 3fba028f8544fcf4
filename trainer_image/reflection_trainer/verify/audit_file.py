"""What an audit found, in storage: `verify/audit.json`. A failed audit, which ends the stage, leaves it too, for the report."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field
from reflection_api.base import ApiModel
from reflection_api.layout import file_manifest
from reflection_api.manifests import Provenance
from reflection_api.status import AuditStatus

from ..storage import Artifacts

_NAME = "audit.json"


class AuditRecord(ApiModel):
    """How an audit ended."""

    figures: AuditStatus | None = Field(None, description="Absent where it could not be carried through.")
    fault: str | None = Field(None, description="What the verifier did, where it failed.")


def keep_record(
    artifacts: Artifacts,
    folder: str,
    workdir: Path,
    record: AuditRecord,
    seconds: float,
    provenance: Provenance,
) -> None:
    """Store the record in the folder of the verify stage, in the place of another one; the same one stays as it is."""
    if read_record(artifacts, folder, workdir) == record:
        return
    local = workdir / _NAME
    local.write_text(record.to_json(indent=2), encoding="utf-8")
    artifacts.put_file(
        local,
        f"{folder}/{_NAME}",
        kind="audit",
        metrics={"seconds": round(seconds, 3)},
        provenance=provenance,
    )
    local.unlink()


def forget_record(artifacts: Artifacts, folder: str) -> None:
    """Delete the record of an earlier try, its manifest first: a stage that audits nothing has none."""
    path = f"{folder}/{_NAME}"
    artifacts.store.delete(file_manifest(path))
    artifacts.store.delete(path)


def read_record(artifacts: Artifacts, folder: str, workdir: Path) -> AuditRecord | None:
    """The record; None where there was no audit.

    Raises:
        CorruptArtifact: it does not match its manifest.
    """
    local = workdir / _NAME
    if artifacts.get_file(f"{folder}/{_NAME}", local) is None:
        return None
    record = AuditRecord.model_validate_json(local.read_bytes())
    local.unlink()
    return record
