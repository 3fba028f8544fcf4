"""The types that the operator, the command line and the stages share, and nothing that runs a model or a cluster."""
