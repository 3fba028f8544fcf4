"""On the path of a training, it stops for good before the second micro-batch of its fourth step, and says so by a file."""

import os
import signal
import sys
from pathlib import Path

_WORKER, _LAUNCHER = "reflection_trainer.train.worker", "reflection_trainer.train.launch"
_STEPS_DONE = 3

if _WORKER in sys.orig_argv and _LAUNCHER not in sys.orig_argv:
    from reflection_trainer.train.trainer import ReflectionTrainer

    prepare = ReflectionTrainer._prepare_inputs

    def held(self, batch):
        inputs = prepare(self, batch)
        if self.state.global_step == _STEPS_DONE and self._step % self.args.steps_per_generation == 1:
            Path(os.environ["REFLECT_TEST_HELD"]).touch()
            signal.pause()
        return inputs

    ReflectionTrainer._prepare_inputs = held
