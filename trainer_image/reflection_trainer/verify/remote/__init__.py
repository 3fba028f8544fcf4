"""Own verifiers: a service that speaks `POST /v1/verify`, asked in batches, bounded, and never believed without a look."""
