"""The CustomResourceDefinition, generated from the types: nothing in it is written a second time."""

from .definition import crd_yaml, custom_resource_definition, resource_schema

__all__ = ["crd_yaml", "custom_resource_definition", "resource_schema"]
