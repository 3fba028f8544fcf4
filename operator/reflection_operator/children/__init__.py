"""What the Kubernetes objects of every stage look like: pure functions of the resource and the operator's settings."""
