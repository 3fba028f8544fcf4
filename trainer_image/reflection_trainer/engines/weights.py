"""Weights that are there, whole, and those that the model's configuration asks for.

Without this check a tensor that is missing becomes random numbers: transformers says so in its log, vLLM not at all.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safetensors import SafetensorError, safe_open

from ..errors import first_line
from .invalid import LOADING_ERRORS, invalid, quoted

if TYPE_CHECKING:
    from transformers import PretrainedConfig

_INDEX = "model.safetensors.index.json"
_COPY = "copy the model again"
_SHOWN = 3


def check_files(path: Path, uri: str) -> None:
    """Every file of weights is there and is one.

    Raises:
        BadConfig: it is not (reason InvalidModel).
    """
    files = sorted(path.glob("*.safetensors"))
    index = path / _INDEX
    if index.is_file():
        files = _indexed_files(index, uri)
    if not files:
        raise invalid(uri, "has no weights: there is no *.safetensors file; convert it to safetensors")
    for file in files:
        if not file.is_file():
            raise invalid(uri, f"is incomplete: {_INDEX} names {file.name}, which is missing; {_COPY}")
        try:
            with safe_open(file, framework="numpy"):
                pass
        except (SafetensorError, OSError) as error:
            raise invalid(uri, f"is damaged: {file.name}: {error}; {_COPY}") from error


def check_fit(path: Path, uri: str, config: PretrainedConfig, *, trust_remote_code: bool) -> None:
    """The weights have every tensor that the configuration asks for, in its shape; no number is read.

    Compressed weights are looked at by what decompresses them.

    Raises:
        BadConfig: they have not, or transformers has no such causal language model (reason InvalidModel).
    """
    if getattr(config, "quantization_config", None) is not None:
        return
    missing, mismatched = _compared(path, uri, config, trust_remote_code)
    if mismatched:
        name, stored, expected = mismatched[0]
        raise invalid(
            uri,
            f"does not fit its config.json: {name} is {_shape(stored)} in the weights and {_shape(expected)} by config.json"
            f"{_more(mismatched[1:])}; {_COPY}, config.json and weights from the same place",
        )
    if missing:
        names = ", ".join(missing[:_SHOWN])
        raise invalid(
            uri,
            f"does not fit its config.json: its weights lack {names}{_more(missing[_SHOWN:])}; "
            f"{_COPY}, config.json and weights from the same place",
        )


def _compared(
    path: Path, uri: str, config: PretrainedConfig, trust_remote_code: bool
) -> tuple[list[str], list[tuple[str, Iterable[int], Iterable[int]]]]:
    """Names of the tensors that are missing, and those of another shape."""
    from transformers import AutoModelForCausalLM

    # Typed as Any: the stubs do not know output_loading_info.
    load: Any = AutoModelForCausalLM.from_pretrained
    try:
        with _silent_library():
            _, found = load(
                path,
                config=config,
                device_map="meta",
                ignore_mismatched_sizes=True,
                output_loading_info=True,
                trust_remote_code=trust_remote_code,
            )
    except LOADING_ERRORS as error:
        raise invalid(uri, f"cannot be used: {quoted(error)}") from error
    return sorted(found["missing_keys"]), sorted(found["mismatched_keys"])


@contextmanager
def _silent_library() -> Iterator[None]:
    """What transformers would warn of is what is asked for here."""
    from transformers.utils import logging

    # Typed as Any: the library's own functions have no types.
    library: Any = logging
    verbosity, bars = library.get_verbosity(), library.is_progress_bar_enabled()
    library.set_verbosity_error()
    library.disable_progress_bar()
    try:
        yield
    finally:
        library.set_verbosity(verbosity)
        if bars:
            library.enable_progress_bar()


def _indexed_files(index: Path, uri: str) -> list[Path]:
    try:
        names = set(json.loads(index.read_bytes())["weight_map"].values())
        return sorted(index.parent / name for name in names)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise invalid(uri, f"is damaged: {_INDEX}: {first_line(error)}; {_COPY}") from error


def _shape(shape: Iterable[int]) -> str:
    return " x ".join(map(str, shape))


def _more(others: list[Any]) -> str:
    return f" and {len(others)} more" if others else ""
