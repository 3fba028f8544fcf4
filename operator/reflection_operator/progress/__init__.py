"""How far the pods are, as they tell it: a small HTTPS server. Losing what they say loses a progress bar and nothing else."""
