"""lm-eval on base and trained model: whether training has cost the model what neither questions nor reflections ask for.

Each model's scores are an artefact, so that an attempt that was stopped does not take them again.
"""

from __future__ import annotations

import contextlib
import json
import logging
import math
import time
from collections.abc import Callable, Iterator
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reflection_api.evaluation import RegressionScore
from reflection_api.manifests import Provenance
from reflection_api.reasons import Reason
from reflection_api.spec import ModelSpec, RegressionSpec
from reflection_api.stages import Stage
from reflection_api.validation.unknown import nearest

from ..context import StageContext
from ..errors import BadConfig, DependencyAway, first_line, is_out_of_memory
from ..provenance import digest_of, policy_provenance, refuse_other_provenance
from ..sources.fetch import fetch_model, local_folder
from ..startup import unprepare
from .part import BASE, TRAINED

if TYPE_CHECKING:
    from lm_eval.tasks import TaskManager

logger = logging.getLogger(__name__)

FIELD = "spec.evaluation.regression"
_BATCH = 8
_Z = 1.96
Scores = dict[str, dict[str, Any]]
"""By `<task>/<metric>`: value, stderr, samples, higherIsBetter."""


class Regression:
    """The tasks of `spec.evaluation.regression`. Made before any model is loaded: what cannot work is said at once."""

    def __init__(self, context: StageContext, asked: RegressionSpec, say: Callable[[str], None]) -> None:
        """Look the tasks up.

        Raises:
            BadConfig: lm-eval is not installed, does not know a task, or there are no definitions.
        """
        unprepare()
        if find_spec("lm_eval") is None:
            raise BadConfig(
                f"{FIELD}: lm-eval is not installed here: use an image with reflect-operator[regression], or leave it out",
                reason=Reason.INVALID_SPEC,
            )
        self._context, self._asked, self._say = context, asked, say
        self._folder = (
            local_folder(asked.definitions.uri, f"{FIELD}.definitions.uri") if asked.definitions else None
        )
        say("looking up lm-eval's tasks")  # it reads thousands of files
        self._tasks = _known_tasks(asked, self._folder)

    def scores(self, base: ModelSpec, trained: ModelSpec) -> list[RegressionScore]:
        """Both models' scores, task by task."""
        before, after = self._of(BASE, base), self._of(TRAINED, trained)
        return [_score(name, before[name], after[name]) for name in before if name in after]

    def _of(self, who: str, model: ModelSpec) -> Scores:
        folder = fetch_model(model, self._context)
        artifacts = self._context.artifacts
        # The base model's are the same in every round.
        stage = self._context.path(Stage.EVALUATE, round_number=1 if who == BASE else None)
        path, local = f"{stage}/regression-{who}.json", self._context.workdir / f"regression-{who}.json"
        origin = self._origin(model, folder)
        found = artifacts.manifest_of_file(path)
        if found is not None:
            refuse_other_provenance(found, origin, artifacts.store.uri(path))
            artifacts.get_file(path, local)
            return _read(local)
        self._say(f"lm-eval on the {who} model")
        logger.info("%s model: lm-eval on %s", who, ", ".join(self._asked.tasks))
        scores, seconds = self._run(model, folder)
        local.write_text(json.dumps(scores, indent=2))
        artifacts.put_file(
            local,
            path,
            kind="evaluation",
            metrics={"seconds": seconds},
            provenance=origin,
            made_with={"lm-eval": version("lm-eval")},
        )
        return _read(local)

    def _origin(self, model: ModelSpec, folder: Path) -> Provenance:
        asked = self._context.config.model_copy(update={"policy": model})
        settings: dict[str, Any] = {
            "regression.tasks": self._asked.tasks,
            "regression.limit": self._asked.limit,
            "lm-eval": version("lm-eval"),
        }
        if self._folder is not None:
            settings["regression.definitions"] = digest_of(self._folder, ("**/*",))
        return Provenance(**policy_provenance(asked, folder), sampling=settings)

    def _run(self, model: ModelSpec, folder: Path) -> tuple[Scores, float]:
        """One model's scores, and the seconds that they took, without loading the model.

        Raises:
            StageFailure: a task cannot be done; whether to try again depends on why.
        """
        import lm_eval
        from lm_eval.models.huggingface import HFLM

        on_gpu = self._context.config.rollout.gpus_per_worker > 0
        try:
            loaded: Any = HFLM(
                pretrained=str(folder),
                device="cuda" if on_gpu else "cpu",
                dtype="auto" if on_gpu else "float32",
                batch_size=_BATCH,
                trust_remote_code=model.trust_remote_code,
            )
            began = time.monotonic()
            # Definitions name their data as files beside them.
            with contextlib.chdir(self._folder or Path.cwd()):
                answer: Any = lm_eval.simple_evaluate(
                    model=loaded,
                    tasks=list(self._asked.tasks),
                    limit=self._asked.limit,
                    task_manager=self._tasks,
                    log_samples=False,
                )
        except ConnectionError as error:
            raise DependencyAway(
                f"{FIELD}: the data of a task cannot be had: {first_line(error)}; let the pods reach the hub, or give "
                "definitions with data of your own",
                reason=Reason.DEPENDENCY_UNAVAILABLE,
            ) from error
        except Exception as error:
            if is_out_of_memory(error):
                raise
            raise BadConfig(
                f"{FIELD}: lm-eval fails: {type(error).__name__}: {first_line(error)}; try the tasks with lm-eval itself",
                reason=Reason.INVALID_SPEC,
            ) from error
        return dict(_scores(answer)), round(time.monotonic() - began, 3)


def _known_tasks(asked: RegressionSpec, folder: Path | None) -> TaskManager:
    from lm_eval.tasks import TaskManager

    try:
        manager = TaskManager(include_path=str(folder) if folder else None)
    except Exception as error:
        raise BadConfig(
            f"{FIELD}.definitions: {first_line(error)}; correct the task's file",
            reason=Reason.INVALID_SPEC,
        ) from error
    for name in asked.tasks:
        if name not in manager.all_tasks:
            guess = nearest(name, manager.all_tasks)
            hint = f"did you mean {guess}?" if guess else "`lm-eval ls tasks` lists what there is"
            raise BadConfig(
                f'{FIELD}.tasks: "{name}" is no task of lm-eval; {hint}', reason=Reason.INVALID_SPEC
            )
    return manager


def _scores(answer: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    for task, figures in answer["results"].items():
        for key, value in figures.items():
            metric, _, how = key.partition(",")
            if (
                not how
                or metric.endswith("_stderr")
                or not isinstance(value, int | float)
                or not math.isfinite(value)
            ):
                continue
            error = figures.get(f"{metric}_stderr,{how}")
            known = isinstance(error, int | float) and math.isfinite(error)
            yield (
                f"{task}/{metric}" + (f" ({how})" if how != "none" else ""),
                {
                    "value": float(value),
                    "stderr": float(error) if known else None,
                    "samples": answer["n-samples"].get(task, {}).get("effective", 0),
                    "higherIsBetter": bool(answer["higher_is_better"].get(task, {}).get(metric, True)),
                },
            )


def _score(name: str, base: dict[str, Any], trained: dict[str, Any]) -> RegressionScore:
    task, _, metric = name.partition("/")
    change = trained["value"] - base["value"]
    interval = None
    if base["stderr"] is not None and trained["stderr"] is not None:
        # As if the two had seen different examples: wider than it need be.
        half = _Z * math.hypot(base["stderr"], trained["stderr"])
        interval = [change - half, change + half]
    return RegressionScore(
        task=task,
        metric=metric,
        base=base["value"],
        trained=trained["value"],
        change=change,
        interval=interval,
        samples=trained["samples"],
        higher_is_better=trained["higherIsBetter"],
    )


def _read(file: Path) -> Scores:
    found: Scores = json.loads(file.read_text())
    return found
