"""Engines that sample answers from a model: vLLM, or transformers wherever PyTorch runs."""

from .engine import Completion, ConversationTooLong, Engine, Throughput
from .open import open_engine

__all__ = ["Completion", "ConversationTooLong", "Engine", "Throughput", "open_engine"]
