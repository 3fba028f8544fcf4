"""Prompts files, good and bad: what is wrong, where, which value, what to do."""

from __future__ import annotations

import datetime as dt
import json
import tracemalloc
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from reflection_api.contract import TaskSettings
from reflection_api.reasons import Reason
from reflection_api.spec import PromptsSpec
from reflection_trainer.errors import BadConfig, BadData
from reflection_trainer.prompts import Question, load_questions
from reflection_trainer.verify.registry import make_verifier

FIELD = "spec.task.prompts.uri: "
ROW = {"prompt": "make 7 from 3 4", "nums": [3, 4], "target": 7}


def task(verifier: str = "countdown", **changes: Any) -> TaskSettings:
    values = {
        "prompts": {
            "uri": "file:///train.jsonl",
            "limit": changes.pop("limit", None),
            "seed": changes.pop("seed", 0),
        },
        "verifier": {"builtin": {"name": verifier}},
        "templates": {
            "system": changes.pop("system", None),
            "reflection": "reflect",
            "retry": "{{ question }}",
        },
        **changes,
    }
    return TaskSettings.model_validate(values)


def load(
    path: Path, settings: TaskSettings | None = None, prompts: PromptsSpec | None = None
) -> list[Question]:
    settings = settings or task()
    return load_questions(path, settings, make_verifier(settings.verifier.builtin.name), prompts)


def json_lines(folder: Path, *rows: Any) -> Path:
    path = folder / "train.jsonl"
    path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows))
    return path


def parquet(folder: Path, **columns: Any) -> Path:
    path = folder / "train.parquet"
    pq.write_table(pa.table(columns), path)
    return path


def refusal(path: Path, settings: TaskSettings | None = None) -> str:
    with pytest.raises(BadData) as caught:
        load(path, settings)
    assert caught.value.reason == Reason.INVALID_PROMPTS
    return without_field(caught.value.message)


def without_field(words: str) -> str:
    """What is said behind the field that names the file."""
    assert words.startswith(FIELD)
    return words.removeprefix(FIELD)


# What a question is


def test_a_prompt_becomes_a_question(tmp_path: Path) -> None:
    [question] = load(json_lines(tmp_path, ROW))
    assert question.messages == [{"role": "user", "content": "make 7 from 3 4"}]
    assert question.text == "make 7 from 3 4"
    assert question.row == {"nums": [3, 4], "target": 7}
    assert without_field(question.place) == "train.jsonl:1"


def test_json_lines_and_parquet_say_the_same(tmp_path: Path) -> None:
    rows = [ROW, {"prompt": "make 9 from 5 4", "nums": [5, 4], "target": 9}]
    from_lines = load(json_lines(tmp_path, *rows))
    from_parquet = load(parquet(tmp_path, **{name: [row[name] for row in rows] for name in ROW}))
    assert [without_field(q.place) for q in from_parquet] == ["train.parquet: row 1", "train.parquet: row 2"]
    for left, right in zip(from_lines, from_parquet, strict=True):
        assert (left.id, left.messages, left.row) == (right.id, right.messages, right.row)


def test_ids_are_stable_and_different_for_equal_questions(tmp_path: Path) -> None:
    first, second, third = load(json_lines(tmp_path, ROW, ROW, "", ROW))
    assert [first.id[:8], second.id[:8], third.id[:8]] == ["00000001", "00000002", "00000004"]
    assert first.id[8:] == second.id[8:] == third.id[8:]
    assert load(json_lines(tmp_path, ROW))[0].id == first.id


def test_a_conversation_as_messages(tmp_path: Path) -> None:
    turns = [
        {"role": "system", "content": "be brief"},
        {"role": "user", "content": "hello"},
        {"role": "assistant", "content": "hi"},
        {"role": "user", "content": "make 7"},
    ]
    [question] = load(json_lines(tmp_path, {**ROW, "messages": turns}), task(system="another"))
    assert question.messages == turns
    assert question.text == "make 7"
    assert question.row["prompt"] == "make 7 from 3 4"


def test_messages_in_parquet(tmp_path: Path) -> None:
    path = parquet(tmp_path, messages=[[{"role": "user", "content": "make 7"}]], nums=[[3, 4]], target=[7])
    assert load(path)[0].messages == [{"role": "user", "content": "make 7"}]


def test_the_system_template_sees_question_and_row(tmp_path: Path) -> None:
    [question] = load(json_lines(tmp_path, ROW), task(system="{{ question }}: {{ row.target }}"))
    assert question.messages == [
        {"role": "system", "content": "make 7 from 3 4: 7"},
        {"role": "user", "content": "make 7 from 3 4"},
    ]


def test_a_system_template_that_renders_to_nothing_gives_no_message(tmp_path: Path) -> None:
    [question] = load(json_lines(tmp_path, ROW), task(system="{% if row.target > 100 %}hard{% endif %}"))
    assert [turn["role"] for turn in question.messages] == ["user"]


def test_columns_of_other_names(tmp_path: Path) -> None:
    path = json_lines(tmp_path, {"text": "make 7", "numbers": [3, 4], "answer": 7, "target": "other"})
    [question] = load(path, task(columns={"prompt": "text", "nums": "numbers", "target": "answer"}))
    assert question.text == "make 7"
    assert question.row == {"nums": [3, 4], "target": 7}


def test_a_byte_order_mark_and_empty_lines_do_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "train.jsonl"
    path.write_bytes(b"\xef\xbb\xbf" + json.dumps(ROW).encode() + b"\r\n\r\n  \n" + json.dumps(ROW).encode())
    assert [without_field(question.place) for question in load(path)] == ["train.jsonl:1", "train.jsonl:4"]


def test_other_scripts(tmp_path: Path) -> None:
    text = "сделай 7 из 3 4 🙂"
    [question] = load(json_lines(tmp_path, json.dumps({**ROW, "prompt": text}, ensure_ascii=False)))
    assert question.text == text


# The sample


def rows(count: int) -> list[dict[str, Any]]:
    return [{"prompt": f"make {number}", "nums": [number], "target": number} for number in range(count)]


def test_a_limit_takes_a_seeded_sample_in_the_order_of_the_file(tmp_path: Path) -> None:
    path = json_lines(tmp_path, *rows(100))
    sample = [question.text for question in load(path, task(limit=10))]
    assert len(sample) == 10
    assert sample == sorted(sample, key=lambda text: int(text.split()[1]))
    assert sample != [f"make {number}" for number in range(10)]
    assert sample == [question.text for question in load(path, task(limit=10))]
    assert sample != [question.text for question in load(path, task(limit=10, seed=1))]


def test_a_limit_beyond_the_file_takes_all(tmp_path: Path) -> None:
    assert len(load(json_lines(tmp_path, *rows(5)), task(limit=10**9))) == 5


def test_limit_and_seed_of_another_file(tmp_path: Path) -> None:
    own = PromptsSpec(uri="file:///heldout.jsonl", limit=3)
    assert len(load(json_lines(tmp_path, *rows(20)), task(limit=15), own)) == 3


def test_rows_beyond_the_sample_are_checked_too(tmp_path: Path) -> None:
    path = json_lines(tmp_path, *rows(50), {"prompt": "make 1", "nums": "none", "target": 1})
    assert "train.jsonl:51: nums is a string" in refusal(path, task(limit=1))


def test_only_the_sample_is_kept_in_memory(tmp_path: Path) -> None:
    path = tmp_path / "train.jsonl"
    with path.open("w") as file:
        for number in range(2000):
            file.write(json.dumps({**ROW, "prompt": f"{number} " + "x" * 10_000}) + "\n")
    tracemalloc.start()
    try:
        assert len(load(path, task(limit=3))) == 3
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < path.stat().st_size / 20


# What is refused


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('{"prompt": ', "train.jsonl:2: the line is not JSON: "),
        ("[1, 2]", "train.jsonl:2: the line is a JSON array; write one JSON object per line"),
        ("17", "train.jsonl:2: the line is 17, not a JSON object"),
        ('{"prompt": NaN}', "train.jsonl:2: the line is not JSON: NaN is not a JSON value"),
        ('{"prompt": "x", "nums": [1e999], "target": 1}', "train.jsonl:2: the line is not JSON: "),
        (r'{"prompt": "\ud800", "nums": [1], "target": 1}', "train.jsonl:2: a string holds half of a surrogate pair"),
        ("[" * 100_000, "train.jsonl:2: the line is nested too deeply"),
        ('{"prompt": "x", "nums": [' + "9" * 5000 + '], "target": 1}', "train.jsonl:2: the line is not JSON: "),
        ("{}", 'train.jsonl:2: row has neither "prompt" nor "messages"; columns found: none; '),
        ('{"text": "x"}', 'columns found: text; rename a column or map it in spec.task.columns'),
        ('{"prompt": 7}', 'train.jsonl:2: "prompt" is 7, not a string'),
        ('{"prompt": "  "}', 'train.jsonl:2: "prompt" is empty'),
        ('{"messages": []}', 'train.jsonl:2: "messages" is [], not a list of messages'),
        ('{"messages": "hello"}', "train.jsonl:2: \"messages\" is 'hello', not a list of messages"),
        ('{"messages": [{"role": "user"}]}', 'message 1 is {\'role\': \'user\'}, without text in "content"'),
        ('{"messages": [{"role": "tool", "content": "x"}]}', "message 1 has the role 'tool'; use one of system, user"),
        ('{"messages": [{"role": "assistant", "content": "x"}]}', "does not end with a question of the user"),
        (
            '{"prompt": "x", "nums": [1]}',
            'train.jsonl:2: row has no "target", which the countdown verifier needs (columns found: nums); '
            "rename the column or map it in spec.task.columns",
        ),
        ('{"prompt": "x", "nums": "1 2", "target": 3}', 'train.jsonl:2: nums is a string: "1 2"; write a list of integers'),
    ],
)  # fmt: skip
def test_bad_lines(tmp_path: Path, line: str, words: str) -> None:
    assert words in refusal(json_lines(tmp_path, ROW, line))


def test_what_is_not_utf_8(tmp_path: Path) -> None:
    path = tmp_path / "train.jsonl"
    path.write_bytes(json.dumps(ROW).encode() + b'\n{"prompt": "caf\xe9"}\n')
    assert refusal(path) == "train.jsonl:2: byte 16 of the line (0xe9) is not UTF-8; save the file as UTF-8"


def test_utf_16(tmp_path: Path) -> None:
    path = tmp_path / "train.jsonl"
    path.write_text(json.dumps(ROW), encoding="utf-16")
    assert refusal(path).startswith("train.jsonl:1: byte 1 of the line (0xff) is not UTF-8")


def test_a_line_without_end(tmp_path: Path) -> None:
    path = tmp_path / "train.jsonl"
    path.write_bytes(b"x" * (17 << 20))
    assert refusal(path) == "train.jsonl:1: the line is longer than 16 MiB; write one row per line"


@pytest.mark.parametrize("text", ["", "\n\n \n"])
def test_empty_files(tmp_path: Path, text: str) -> None:
    path = tmp_path / "train.jsonl"
    path.write_text(text)
    with pytest.raises(BadData) as caught:
        load(path)
    assert caught.value.reason == Reason.DATASET_EMPTY
    assert without_field(caught.value.message) == (
        "train.jsonl: the file has no rows; give at least one question"
    )


def test_a_mapped_column_that_is_missing(tmp_path: Path) -> None:
    assert refusal(json_lines(tmp_path, ROW), task(columns={"target": "answer"})) == (
        'train.jsonl:1: row has no "answer", which spec.task.columns.target names; '
        "columns found: nums, prompt, target; correct spec.task.columns"
    )


def test_a_template_that_fails_names_the_row(tmp_path: Path) -> None:
    path = json_lines(tmp_path, ROW, {**ROW, "hint": "add"})
    with pytest.raises(BadConfig) as caught:
        load(path, task(system="{{ row.hint }}"))
    assert caught.value.reason == Reason.INVALID_TEMPLATE
    assert caught.value.message.startswith("spec.task.templates.system: cannot be rendered: ")
    assert caught.value.message.endswith(f"(rendered for {FIELD}train.jsonl:1)")


# Parquet


def test_a_column_of_the_wrong_type(tmp_path: Path) -> None:
    path = parquet(tmp_path, prompt=[7], nums=[[3, 4]], target=[7])
    assert refusal(path) == 'train.parquet: row 1: "prompt" is 7, not a string; write the question as text'


def test_a_right_answer_for_the_audit_that_is_no_text(tmp_path: Path) -> None:
    words = "train.jsonl:2: gold is an integer: 7; write a completion that is right, as text, or rename the column"
    assert refusal(json_lines(tmp_path, ROW | {"gold": "3 + 4"}, ROW | {"gold": 7})) == words


def test_a_verifier_column_of_the_wrong_type(tmp_path: Path) -> None:
    path = parquet(tmp_path, prompt=["make 7"], nums=[["3", "4"]], target=[7])
    assert 'train.parquet: row 1: nums has a string: "3"' in refusal(path)


def test_a_value_that_json_cannot_hold(tmp_path: Path) -> None:
    path = parquet(tmp_path, **{name: [value] for name, value in ROW.items()}, made=[dt.date(2026, 1, 1)])
    assert 'train.parquet: row 1: column "made" has the type date, which JSON cannot hold' in refusal(path)


def test_a_number_that_json_cannot_hold(tmp_path: Path) -> None:
    path = parquet(tmp_path, **{name: [value] for name, value in ROW.items()}, score=[float("nan")])
    assert 'train.parquet: row 1: column "score" holds nan, which JSON cannot hold' in refusal(path)


def test_json_lines_named_parquet(tmp_path: Path) -> None:
    path = json_lines(tmp_path, ROW).rename(tmp_path / "train.parquet")
    message = refusal(path)
    assert message.startswith("train.parquet: cannot be read as Parquet: ")
    assert message.endswith("write it again, or name it .jsonl if it holds JSON lines")


def test_damaged_parquet(tmp_path: Path) -> None:
    path = parquet(tmp_path, prompt=["make 7"] * 1000, nums=[[3, 4]] * 1000, target=[7] * 1000)
    data = bytearray(path.read_bytes())
    data[50:200] = bytes(150)
    path.write_bytes(data)
    assert refusal(path).startswith("train.parquet: cannot be read as Parquet: ")


def test_parquet_without_rows(tmp_path: Path) -> None:
    path = parquet(tmp_path, prompt=pa.array([], pa.string()))
    with pytest.raises(BadData) as caught:
        load(path)
    assert caught.value.reason == Reason.DATASET_EMPTY
