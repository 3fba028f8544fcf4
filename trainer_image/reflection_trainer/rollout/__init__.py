"""The rollout stage: base answers to every question."""
