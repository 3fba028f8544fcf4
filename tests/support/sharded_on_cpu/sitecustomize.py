"""On the path of a training, this has accelerate share a model out over processors as it does over GPUs.

Left alone it would take DDP for FSDP there, without a word. Only processes that torch's launcher started are touched.
"""

import os

if "RANK" in os.environ:
    import torch.distributed
    from accelerate import DistributedType, PartialState

    torch.distributed.init_process_group("gloo")
    PartialState._prepare_backend = lambda *_, **__: ("gloo", DistributedType.MULTI_GPU)
