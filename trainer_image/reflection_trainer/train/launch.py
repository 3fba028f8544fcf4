"""accelerate's own launcher, which begins and ends sooner than as a program of its own."""

from __future__ import annotations

import sys

from ..startup import leave, prepare

NOT_MET = 75
"""Exit code where the machines of a training did not all come together in time."""

if __name__ == "__main__":
    prepare("boto3")  # accelerate imports it to ask about SageMaker
    from accelerate.commands.launch import main
    from torch.distributed import DistNetworkError, DistStoreError

    try:
        main()
    except (DistNetworkError, DistStoreError) as error:
        print(error, file=sys.stderr)
        leave(NOT_MET)
    except SystemExit as end:
        leave(end.code)
    leave(0)
