"""Engines that sample answers from a model: vLLM, or transformers wherever PyTorch runs."""

from .chat import Conversation
from .engine import Completion, ConversationTooLong, Engine, Throughput
from .open import open_engine

__all__ = ["Completion", "Conversation", "ConversationTooLong", "Engine", "Throughput", "open_engine"]
