"""Stores the checkpoints of a training until standard input ends: what the launcher of a pod does beside it, and nothing else.

    python bench/_mover.py ORDER ENDPOINT BUCKET FOLDER

It says `ready` once it looks for checkpoints.
"""

from __future__ import annotations

import sys
from pathlib import Path

from reflection_api.manifests import Provenance
from reflection_api.spec import StorageSpec
from reflection_trainer.storage import Artifacts, open_store
from reflection_trainer.train.checkpoints import Checkpoints, Mover
from reflection_trainer.train.order import WorkOrder
from reflection_trainer.train.tracking.files import TrackingFiles


def main(order_file: str, endpoint: str, bucket: str, folder: str) -> int:
    """Store what comes; at least one must."""
    order = WorkOrder.model_validate_json(Path(order_file).read_bytes())
    storage = StorageSpec(uri=f"s3://{bucket}/runs", endpoint=endpoint)
    artifacts = Artifacts(open_store(storage.uri, storage))
    mover = Mover(
        order,
        Checkpoints(artifacts, folder, Provenance(), keep_last=2),
        TrackingFiles(order.tracking, artifacts.store, f"{folder}/tracking"),
    )
    print("ready", flush=True)
    sys.stdin.read()
    mover.finish()
    return 0 if any(name.endswith("/manifest.json") for name in artifacts.store.list(folder)) else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
