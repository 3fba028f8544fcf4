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


class Provenance(ApiModel):
    """What an artefact was made from. Equal provenance means that the artefact can be used again."""

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

    def difference(self, other: Provenance) -> str | None:
        """The first setting in which `other` differs, as `path: mine, not theirs`; None where they agree."""
        mine, theirs = self.to_dict(), other.to_dict()
        for part in sorted(mine.keys() | theirs.keys()):
            ours, others = mine.get(part, {}), theirs.get(part, {})
            for key in sorted(ours.keys() | others.keys()):
                if ours.get(key) != others.get(key):
                    return f"{part}.{key}: {ours.get(key)!r}, not {others.get(key)!r}"
        return None


class Manifest(ApiModel):
    """The manifest of a file or folder."""

    version: Literal[1] = VERSION
    kind: Annotated[str, Field(max_length=64)] = Field(
        description="attempts, failures, checkpoint, model, evaluation, report."
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
