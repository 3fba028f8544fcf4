"""Reference pages written from the types: `python -m reflection_api.reference resource|reasons|verifier-service`.

`make docs` writes them to docs/reference/, and the OpenAPI file to examples/own-verifier/.
"""
