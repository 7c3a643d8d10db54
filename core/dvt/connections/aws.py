"""Sessions of boto3 that share what they know of AWS's services, which takes half a second to read."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import boto3

    from dvt.connections.connection import Connection


def session(**settings: Any) -> boto3.Session:
    """A session of its own credentials.

    Args:
        settings: Those of `boto3.Session`; None is not given.
    """
    import boto3
    from botocore.session import Session as Core

    core = Core()
    core.register_component("data_loader", _loader())
    return boto3.Session(botocore_session=core, **{key: value for key, value in settings.items() if value is not None})


def session_of(connection: Connection) -> boto3.Session:
    """Whose credentials and region count: the output's keys, its profile, or the environment."""
    region = connection.first("region_name")
    return session(
        profile_name=connection.first("aws_profile_name"),
        aws_access_key_id=connection.first("aws_access_key_id"),
        aws_secret_access_key=connection.secret("aws_secret_access_key"),
        aws_session_token=connection.secret("aws_session_token"),
        region_name=None if region is None else str(region),
    )


@functools.lru_cache(maxsize=1)
def _loader() -> Any:
    from pathlib import Path

    import boto3
    from botocore.loaders import create_loader

    loader = create_loader()
    loader.search_paths.append(str(Path(boto3.__file__).parent / "data"))
    return loader
