"""A session of requests' whose way to check certificates is what the output says."""

from __future__ import annotations

from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.util import Retry


class VerifyingSession(requests.Session):  # type: ignore[misc]
    """A session that checks certificates as told, whatever the environment says.

    requests lets REQUESTS_CA_BUNDLE take the place of a session's own `verify`
    (https://github.com/psf/requests/issues/3829); here that is so only where the output says nothing else than "check".

    Args:
        verify: True, False, or the file with whom to trust.
        attempts: How often a request is sent that meets a busy or failing server.
        try_again: The statuses of such servers.
    """

    def __init__(self, verify: bool | str, attempts: int = 1, try_again: tuple[int, ...] = ()) -> None:
        super().__init__()
        self.verify = verify
        if attempts > 1:
            again = Retry(attempts - 1, status_forcelist=try_again, backoff_factor=0.2, raise_on_status=False)
            for scheme in ("http://", "https://"):
                self.mount(scheme, HTTPAdapter(max_retries=again))

    def merge_environment_settings(self, url: Any, proxies: Any, stream: Any, verify: Any, cert: Any) -> Any:
        """What a request is sent with."""
        merged = super().merge_environment_settings(url, proxies, stream, verify, cert)
        if self.verify is not True:
            merged["verify"] = self.verify
        return merged
