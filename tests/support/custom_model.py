"""The tiny model as one whose Python code lies in its folder."""

from __future__ import annotations

import json
from pathlib import Path

from .tiny_model import save_tiny_model

CODE = """
from pathlib import Path

import scipy.linalg  # as some models do, and no stage of ours
from transformers import LlamaConfig, LlamaForCausalLM

Path({ran!r}).touch()


class CustomConfig(LlamaConfig):
    model_type = "custom"


class CustomForCausalLM(LlamaForCausalLM):
    config_class = CustomConfig
"""


def save_custom_model(folder: Path) -> Path:
    """Write the model; its code leaves a file `ran` beside the folder whenever it runs."""
    save_tiny_model(folder)
    (folder / "modeling_custom.py").write_text(CODE.format(ran=str(folder.parent / "ran")))
    config = json.loads((folder / "config.json").read_text())
    names = {"AutoConfig": "CustomConfig", "AutoModelForCausalLM": "CustomForCausalLM"}
    config |= {
        "model_type": "custom",
        "architectures": ["CustomForCausalLM"],
        "auto_map": {auto: f"modeling_custom.{name}" for auto, name in names.items()},
    }
    (folder / "config.json").write_text(json.dumps(config))
    return folder
