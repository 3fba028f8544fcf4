"""A program that begins and ends sooner still ends in order, and hides nothing from who asks for it."""

from __future__ import annotations

import subprocess
import sys

import pytest

IN_ORDER = """
import atexit, threading, time
from concurrent.futures import ThreadPoolExecutor
from reflection_trainer.startup import leave
atexit.register(print, "atexit")
ThreadPoolExecutor().submit(time.sleep, 0.2)
threading.Thread(target=lambda: (time.sleep(0.2), print("thread"))).start()
print("main", end="")
leave(CODE)
"""
HIDDEN = """
import importlib.util
from reflection_trainer.startup import prepare, unprepare
def there(): return {importlib.util.find_spec(name) is not None for name in ("chardet", "scipy", "sklearn")}
prepare()
print(there(), end=" ")
unprepare()
print(there())
"""


def ran(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code], text=True, capture_output=True, check=False, timeout=300
    )


@pytest.mark.parametrize(
    ("code", "exit_code", "said"), [("0", 0, ""), ("75", 75, ""), ("None", 0, ""), ("'why'", 1, "why\n")]
)
def test_threads_and_whatever_waits_for_the_end_come_first(code: str, exit_code: int, said: str) -> None:
    done = ran(IN_ORDER.replace("CODE", code))
    assert (done.returncode, done.stdout, done.stderr) == (exit_code, "mainthread\natexit\n", said)


def test_what_is_hidden_can_be_had_again() -> None:
    done = ran(HIDDEN)
    assert (done.returncode, done.stdout) == (0, "{False} {True}\n"), done.stderr


def test_trl_sees_no_tracker_and_transformers_does() -> None:
    code = """
import sys
import reflection_trainer.train.grpo
print([name for name in ("wandb", "mlflow", "vllm") if name in sys.modules])
from transformers import is_wandb_available
from transformers.integrations import is_mlflow_available
from trl.trainer import base_trainer
print(is_wandb_available(), is_mlflow_available(), base_trainer.is_wandb_available())
"""
    done = ran(code)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "[]\nTrue True False\n"
