"""The questions of a run: read, checked, sampled and split."""

from .load import load_questions
from .question import Question
from .split import held_out_split

__all__ = ["Question", "held_out_split", "load_questions"]
