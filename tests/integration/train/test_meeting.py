"""A training of two machines of which one never comes."""

from __future__ import annotations

import pytest
from reflection_api.reasons import Reason
from reflection_trainer.errors import DependencyAway
from reflection_trainer.train.accelerate_config import Rendezvous, accelerate_config
from reflection_trainer.train.launcher import Training
from reflection_trainer.train.order import read_outcomes, write_file
from reflection_trainer.train.outcome import conclude

from ...support.ports import free_ports
from .sessions import make_order

pytestmark = [pytest.mark.training, pytest.mark.slow]

PATIENCE_S = 3


@pytest.mark.parametrize("node", [0, 1])
def test_who_is_alone_says_so(node, tmp_path, model, monkeypatch):
    """It is the cluster that has no room for the other pod, or does not let it through: no crash of the trainer"""
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    order = make_order(tmp_path, model, nodes=2).model_copy(update={"node": node})
    (port,) = free_ports(1)
    launch_file, order_file = tmp_path / "accelerate.yaml", tmp_path / "order.json"
    write_file(launch_file, accelerate_config(order.config.training, node, Rendezvous("127.0.0.1", port)))
    write_file(order_file, order.to_json())
    code = Training(order, launch_file, order_file, meeting_seconds=PATIENCE_S).wait(lambda: None)
    with pytest.raises(DependencyAway) as raised:
        conclude(read_outcomes(order), processes=1, exit_code=code, out_of_memory=False, max_steps=1)
    assert raised.value.reason is Reason.DEPENDENCY_UNAVAILABLE
    assert raised.value.message == (
        "the pods of the training did not all come together in time: do all of them run, and reach the first one?"
    )
    assert not list(temporary.iterdir())
