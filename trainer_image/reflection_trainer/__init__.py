"""The stages of a round, each one command: `python -m reflection_trainer <stage>`."""
