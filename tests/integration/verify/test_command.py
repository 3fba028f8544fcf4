"""The command as a process: exit codes, streams, encodings, memory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

COMMAND = [sys.executable, "-m", "reflection_trainer.verify"]


def run(
    arguments: Iterable[str], items: bytes = b"", **environment: str
) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [*COMMAND, *arguments], input=items, capture_output=True, check=False, env=os.environ | environment
    )


def item(item_id: str, completion: str) -> bytes:
    row = {"nums": [3, 4], "target": 12, "answer": "caf\u00e9"}
    return (
        json.dumps({"id": item_id, "completion": completion, "row": row}, ensure_ascii=False).encode() + b"\n"
    )


def test_judges_items():
    done = run(["--verifier", "countdown"], item("a", "3 * 4") + item("b", "3 + 4"))
    assert done.returncode == 0
    assert done.stdout.decode().splitlines() == [
        '{"id":"a","correct":true,"reason":"correct"}',
        '{"id":"b","correct":false,"reason":"missed_target"}',
    ]
    assert done.stderr.decode() == "2 items: correct 1 (50.0%), missed_target 1 (50.0%)\n"


def test_the_locale_decides_nothing():
    options = ["--verifier", "exact", "--options", '{"ignoreCase": true}']
    done = run(options, item("caf\u00e9", "CAF\u00c9"), LC_ALL="C", PYTHONUTF8="0", PYTHONIOENCODING="ascii")
    assert done.returncode == 0
    assert done.stdout == '{"id":"caf\u00e9","correct":true,"reason":"correct"}\n'.encode()


def test_bad_data_is_65_and_what_came_before_is_judged():
    done = run(["--verifier", "countdown"], item("a", "3 * 4") + b"oops\n")
    assert done.returncode == 65
    assert done.stdout == b'{"id":"a","correct":true,"reason":"correct"}\n'
    error = done.stderr.decode()
    assert error.startswith("error: standard input, line 2: not JSON (")
    assert error.count("\n") == 1


def test_what_shows_only_when_an_answer_is_judged_is_65_too():
    row = {"tests": "assert f(lambda x: x) == 1"}
    line = json.dumps({"id": "a", "completion": "def f(g): return g(1)", "row": row}).encode()
    done = run(["--verifier", "code"], line)
    assert done.returncode == 65
    assert done.stderr.decode() == (
        "error: standard input: the tests hand the answer function, which is no plain data; give the program plain data only\n"
    )


def test_a_machine_that_cannot_lock_processes_down_is_78(tmp_path: Path):
    (tmp_path / "sitecustomize.py").write_text("import platform\nplatform.machine = lambda: 'vax'\n")
    line = json.dumps({"id": "a", "completion": "x = 1", "row": {"tests": "assert x == 1"}}).encode()
    done = run(["--verifier", "code"], line, PYTHONPATH=str(tmp_path))
    assert done.returncode == 78
    assert done.stdout == b""
    error = done.stderr.decode()
    assert error.startswith("error: this verifier runs in a locked-down process, and the server of ")
    assert "no filter for vax" in error
    assert error.count("\n") == 1


def test_a_bad_verifier_or_option_is_78():
    for arguments, message in (
        (
            ["--verifier", "count"],
            'error: --verifier: there is no built-in verifier "count"; did you mean countdown?\n',
        ),
        (
            ["--verifier", "exact", "--options", '{"strip": 0}'],
            "error: --options: strip: 0 is not a boolean; write true or false, without quotes\n",
        ),
        (
            ["--verifier", "exact", "--options", "7"],
            'error: --options: 7 is not an object; write for example {"strip": true}\n',
        ),
    ):
        done = run(arguments, item("a", "3 * 4"))
        assert done.returncode == 78
        assert done.stderr.decode() == message
        assert done.stdout == b""
    done = run(["--verifier", "exact", "--options", "{"])
    assert done.returncode == 78
    assert done.stderr.startswith(b"error: --options: not JSON (")
    assert run(["--verifier", "exact", "--options", "[" * 50_000]).returncode == 78


def test_a_wrong_command_line_is_2():
    assert run([]).returncode == 2


def test_a_reader_that_goes_away_ends_it_quietly(tmp_path: Path):
    items = tmp_path / "items.jsonl"
    items.write_bytes(b"".join(item(f"item-{n}", "3 * 4") for n in range(20_000)))
    with (
        items.open("rb") as source,
        subprocess.Popen(
            [*COMMAND, "--verifier", "countdown"],
            stdin=source,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as process,
    ):
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait() == 1


def test_a_full_disk_is_said():
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [*COMMAND, "--verifier", "countdown"],
            input=item("a", "3 * 4"),
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr.startswith(b"error: verdicts are incomplete: [Errno 28] No space left on device; ")
    assert done.stderr.count(b"\n") == 1


PEAK = """
import resource, sys
from reflection_trainer.verify.__main__ import main
code = main(["--verifier", "countdown"])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)
sys.exit(code)
"""


def peak_kilobytes(folder: Path, count: int) -> int:
    path = folder / f"{count}.jsonl"
    with path.open("wb") as items:
        items.writelines(
            item(f"prompt-{n:08}-attempt-3", f"so, {n}\n<answer>3 * 4</answer>") for n in range(count)
        )
    with path.open("rb") as source:
        done = subprocess.run(
            [sys.executable, "-c", PEAK],
            stdin=source,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            check=True,
        )
    counts, peak = done.stderr.decode().splitlines()
    assert counts == f"{count:,} items: correct {count:,} (100.0%)"
    return int(peak)


def test_memory_is_flat(tmp_path: Path):
    assert peak_kilobytes(tmp_path, 50_000) - peak_kilobytes(tmp_path, 1_000) < 8 * 1024


def test_starts_without_the_heavy_libraries():
    code = (
        "import sys, reflection_trainer.verify.__main__; "
        "print([name for name in ('torch', 'transformers', 'trl', 'vllm', 'datasets', 'pyarrow') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert done.stdout == "[]\n"
