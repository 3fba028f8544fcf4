"""Compares base and trained model on held-out questions, with controls."""
