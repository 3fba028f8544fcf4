"""Manifests of artefacts: an artefact without its manifest does not exist.

The manifest is written last, so a half-written artefact is never read. It holds what is needed to check the bytes and to tell
whether the artefact was made from the same inputs.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Final, Literal

from pydantic import Field

from .base import ApiModel

VERSION: Final = 1
"""Of what manifests hold: raised with every change that an earlier version would misread."""

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class FileEntry(ApiModel):
    """One file of an artefact."""

    path: Annotated[str, Field(min_length=1, max_length=1024)] = Field(
        description="Relative to the manifest's folder."
    )
    size: Annotated[int, Field(ge=0, alias="bytes")]
    sha256: Sha256
    rows: int | None = Field(None, description="Rows, where the file is a table.")


_PLACE: Final = ("uri", "revision")
"""Where bytes came from. It says nothing more once their hash is known to be the same."""


class Provenance(ApiModel):
    """What an artefact was made from. Where nothing differs that counts, the artefact can be used again."""

    model: dict[str, Any] = Field(
        default_factory=dict, description="uri, revision, sha256 of the weights' manifest."
    )
    tokenizer: dict[str, Any] = Field(
        default_factory=dict, description="sha256 of tokenizer and chat template."
    )
    prompts: dict[str, Any] = Field(
        default_factory=dict, description="uri, limit, seed, columns, sha256 of the file."
    )
    templates: dict[str, Any] = Field(default_factory=dict, description="The texts around the conversation.")
    sampling: dict[str, Any] = Field(default_factory=dict, description="Engine and sampler settings.")
    verifier: dict[str, Any] = Field(default_factory=dict, description="Name, options, version.")
    training: dict[str, Any] = Field(
        default_factory=dict, description="sha256 of the dataset of failures, settings of the training."
    )

    def differences(self, other: Provenance) -> dict[str, tuple[Any, Any]]:
        """Every setting that counts and in which `other` differs, by its path: mine and theirs.

        The same bytes are the same from wherever they came: a place counts only where the hashes differ or one is not known.
        """
        mine, theirs = self.to_dict(), other.to_dict()
        found: dict[str, tuple[Any, Any]] = {}
        for part in sorted(mine.keys() | theirs.keys()):
            ours, others = mine.get(part, {}), theirs.get(part, {})
            same_bytes = ours.get("sha256") is not None and ours.get("sha256") == others.get("sha256")
            counts = (ours.keys() | others.keys()) - (set(_PLACE) if same_bytes else set())
            for key in sorted(counts):
                found |= _differing(f"{part}.{key}", ours.get(key), others.get(key))
        return found


def _differing(path: str, mine: Any, theirs: Any) -> dict[str, tuple[Any, Any]]:
    """What differs at and below a path: of nested settings each by its own name."""
    if not any(isinstance(value, dict) and value for value in (mine, theirs)):
        return {} if mine == theirs else {path: (mine, theirs)}
    if not all(value is None or isinstance(value, dict) for value in (mine, theirs)):
        return {path: (mine, theirs)}
    ours, others = mine or {}, theirs or {}
    found: dict[str, tuple[Any, Any]] = {}
    for key in sorted(ours.keys() | others.keys()):
        found |= _differing(f"{path}.{key}", ours.get(key), others.get(key))
    return found


class Manifest(ApiModel):
    """The manifest of a file or folder."""

    version: Literal[1] = VERSION
    kind: Annotated[str, Field(max_length=64)] = Field(
        description="attempts, audit, failures, checkpoint, model, evaluation, report."
    )
    files: list[FileEntry]
    rows: int | None = Field(None, description="Rows of all files together.")
    metrics: dict[str, float] = Field(default_factory=dict, description="Counts and figures of the artefact.")
    provenance: Provenance = Field(default_factory=Provenance)
    versions: dict[str, str] = Field(
        default_factory=dict, description="Versions of the software that made it."
    )


class Claim(ApiModel):
    """Stands in a manifest's place while an artefact is replaced or an unfinished one is made anew: there is none meanwhile."""

    KIND: ClassVar[Literal["claim"]] = "claim"

    version: Literal[1] = VERSION
    kind: Literal["claim"] = KIND
    writer: Annotated[str, Field(max_length=64)] = Field(description="Tells one writer from another.")
