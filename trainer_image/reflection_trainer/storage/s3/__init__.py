"""`s3://` storage through boto3. Nothing else in the project knows boto3."""

from .connection import Connection
from .s3_store import S3Store

__all__ = ["Connection", "S3Store"]
