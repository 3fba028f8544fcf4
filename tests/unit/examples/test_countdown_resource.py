"""The resource of the example: it is valid, names what stands beside it, and speaks the words of the warm start."""

from __future__ import annotations

import random
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
import questions
import transcripts
from reflection_api.resource import ReflectionTraining
from reflection_api.templates import resolve_templates
from reflection_api.validation import load_resources
from reflection_trainer.conversation import Conversation


@pytest.fixture
def resource(countdown: Path) -> ReflectionTraining:
    (resource,) = load_resources(countdown / "reflectiontraining.yaml", local=True)
    return resource


def test_model_and_prompts_stand_beside_it(resource: ReflectionTraining) -> None:
    assert resource.spec.evaluation.prompts
    uris = [resource.spec.model.uri, resource.spec.task.prompts.uri, resource.spec.evaluation.prompts.uri]
    assert [uri for uri in uris if not Path(unquote(urlsplit(uri).path)).exists()] == []


def test_it_puts_the_words_to_the_model_that_the_warm_start_taught(resource: ReflectionTraining) -> None:
    task = resource.spec.task
    templates = resolve_templates(task.templates, task.verifier.builtin.name)
    assert templates.system is None
    conversation = Conversation(templates)
    rng = random.Random(3)
    for question in questions.split_questions()[0][:50]:
        taught = transcripts.transcript(question, rng, transcripts.Habits())
        reflecting = conversation.reflection_prompt(taught[:1], taught[1]["content"], question.row())
        assert reflecting == taught[:3]
        assert conversation.retry_prompt(reflecting, taught[3]["content"], question.row()) == taught[:5]
