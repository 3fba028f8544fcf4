"""From the URIs of models and prompts to files of this machine."""
