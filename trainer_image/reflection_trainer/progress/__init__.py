"""How far a stage is, for whoever looks: best effort, losing it loses only the progress bar."""

from .progress import Progress

__all__ = ["Progress"]
