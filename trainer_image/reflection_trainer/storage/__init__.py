"""Artefacts in storage: whole with their manifest, or not there at all."""

from .artifacts import Artifacts
from .open import open_store, settings_of
from .store import Store
from .subject import Subject

__all__ = ["Artifacts", "Store", "Subject", "open_store", "settings_of"]
