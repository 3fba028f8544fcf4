"""The last Job of a resource that is deleted with `deletionPolicy: Delete`."""
