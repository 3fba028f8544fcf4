"""Reference pages written from the types: `python -m reflection_api.reference resource|reasons`.

`make docs` writes them to docs/reference/.
"""
