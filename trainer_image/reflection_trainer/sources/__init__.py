"""From the URIs of models and prompts to files of this machine."""

MODEL_FILES = ("*.json", "*.safetensors", "*.model", "*.txt", "*.jinja", "*.py")
"""What a model needs here; other weight formats are left out."""
