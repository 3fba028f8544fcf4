"""Reflection-only GRPO: the policy learns from its reflections on wrong answers, and from nothing else."""
