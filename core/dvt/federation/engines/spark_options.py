"""What `engines: {spark: ...}` in dvt.yml says: where Spark runs, and with what."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from dvt.connections.secrets import Secret
from dvt.connections.spark_process import LOCAL_SETTINGS
from dvt.errors import ConfigurationError, nearest
from dvt.federation.engines.spark_store import check_store, is_address

_TEXTS = ("master", "remote", "token_env", "memory", "home", "staging", "staging_as")
SHARE = (
    "Set engines.spark.staging in dvt.yml to a folder that this machine and all executors share, or to a bucket"
    " (s3://bucket/folder)"
)
_KEYS = (*_TEXTS, "store", "packages", "config", "landing", "landing_sessions")
_LANDINGS = ("auto", "executors", "driver", "dvt")
_LANDING_SESSIONS = 8
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
# Values do not depend on the machine, an overflow is an error, and no digit of a decimal is dropped.
_SESSION: Mapping[str, str] = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.ansi.enabled": "true",
    "spark.sql.timestampType": "TIMESTAMP_LTZ",
    "spark.sql.caseSensitive": "false",
    "spark.sql.decimalOperations.allowPrecisionLoss": "false",
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
    "spark.sql.parquet.datetimeRebaseModeInRead": "CORRECTED",
    "spark.sql.parquet.datetimeRebaseModeInWrite": "CORRECTED",
    "spark.sql.parquet.compression.codec": "zstd",
}


@dataclass(frozen=True)
class SparkOptions:
    """Where Spark runs.

    Args:
        master: A session of its own: `local[4]`, or the address of a cluster.
        remote: Or a server of Spark Connect, as `sc://host:port/;key=value`.
        token_env: The environment variable that holds what it takes for a log-in.
        memory: Memory of the driver, and of a local session as a whole, in Spark's words ("4g").
        packages: Maven coordinates that Spark is to bring.
        config: More settings of Spark's, which go before dvt's.
        home: Spark's folder, where it is not the installed PySpark's.
        landing: Who sends a result to PostgreSQL: "executors", side by side; "driver", Spark's; "dvt", one COPY from
            the files; "auto", the executors of a cluster or a server, and dvt where Spark is one process here.
        landing_sessions: The most sessions that executors open on the target at a time.
        root: Against which `home` and `staging` are resolved.
        staging: The folder for inputs and results, which the executors see too; or that of a bucket: `s3://...`,
            `gs://...`, `az://...` or `abfss://...`.
        staging_as: What it is called there, where that is another path or address.
        store: How dvt reaches the bucket: the keys of a files connection, of which secret ones are named
            (`account_key_env`).
    """

    master: str = ""
    remote: str = ""
    token_env: str = ""
    memory: str = ""
    packages: tuple[str, ...] = ()
    config: Mapping[str, str] = field(default_factory=dict)
    home: str = ""
    root: Path = Path()
    staging: str = ""
    staging_as: str = ""
    store: Mapping[str, Any] = field(default_factory=dict)
    landing: str = "auto"
    landing_sessions: int = _LANDING_SESSIONS

    @classmethod
    def of(cls, given: Mapping[str, Any], root: Path = Path(), file: str = "dvt.yml") -> SparkOptions:
        """Checked options.

        Raises:
            ConfigurationError: A key is unknown or a value is not what it takes.
        """

        def refusal(what: str, remedy: str) -> ConfigurationError:
            return ConfigurationError(f"{file}: engines.spark: {what}", code="DVT111", remedy=remedy)

        for key in given:
            if key not in _KEYS:
                raise refusal(f"unknown key '{key}': {nearest(str(key), _KEYS)}", "Correct or remove it")
        texts = {key: given.get(key, "") for key in _TEXTS}
        for key, value in texts.items():
            if not isinstance(value, str):
                raise refusal(f"{key} is {value!r}", "It takes a text")
        packages, config = given.get("packages", []), given.get("config", {})
        if not isinstance(packages, list) or not all(isinstance(each, str) for each in packages):
            raise refusal(f"packages is {packages!r}", "It takes a list of Maven coordinates")
        if not isinstance(config, Mapping) or any(isinstance(each, (Mapping, list)) for each in config.values()):
            raise refusal(f"config is {config!r}", "It takes Spark's settings as `name: value`")
        if texts["remote"] and (texts["master"] or packages or texts["memory"]):
            raise refusal("remote stands beside master, memory or packages", "A server has these of its own")
        if texts["staging_as"] and not texts["staging"]:
            raise refusal("staging_as stands without staging", "Name in staging the folder as it is called here")
        store = given.get("store", {})
        if not isinstance(store, Mapping):
            raise refusal(f"store is {store!r}", "It takes the keys of a files connection in a bucket")
        if store and not is_address(texts["staging"]):
            raise refusal("store stands without a bucket", "Name in staging the bucket: s3://bucket/folder")
        if is_address(texts["staging"]):
            try:
                check_store(texts["staging"], store)
            except ConfigurationError as error:
                raise refusal(error.message.replace("`path`", "staging"), error.remedy or "") from None
        landing, sessions = given.get("landing", "auto"), given.get("landing_sessions", _LANDING_SESSIONS)
        if landing not in _LANDINGS:
            raise refusal(f"landing is {landing!r}", f"It takes one of: {', '.join(_LANDINGS)}")
        if isinstance(sessions, bool) or not isinstance(sessions, int) or sessions < 1:
            raise refusal(f"landing_sessions is {sessions!r}", "It takes a whole number of at least 1")
        if "token=" in texts["remote"]:
            raise refusal(
                "the address in remote holds a token", "Name, in token_env, the environment variable that holds it"
            )
        return cls(
            **texts,
            packages=tuple(packages),
            config={str(name): _text(value) for name, value in config.items()},
            root=root,
            store=dict(store),
            landing=landing,
            landing_sessions=sessions,
        )

    @property
    def is_local(self) -> bool:
        """Whether all of it runs on this machine, and ends with its process."""
        return not self.remote and (not self.master or self.master.startswith("local"))

    @property
    def has_executors(self) -> bool:
        """Whether what computes are other processes than Spark's driver, perhaps elsewhere."""
        return not self.is_local or self.master.startswith("local-cluster")

    @property
    def is_elsewhere(self) -> bool:
        """Whether the executors may run on other machines."""
        return not self.is_local and (urlsplit(self.remote or self.master).hostname or "") not in _LOOPBACK

    @property
    def is_bucket(self) -> bool:
        """Whether inputs and results lie in a bucket, where dvt itself writes them."""
        return is_address(self.staging)

    @property
    def is_checked_first(self) -> bool:
        """Whether Spark may not see what dvt writes: it is let read a file before anything else is done."""
        return self.has_executors or self.is_bucket

    def staging_folder(self, other: Path) -> Path:
        """Where inputs and results lie.

        Raises:
            ConfigurationError: Spark runs elsewhere, and no folder is named.
        """
        if self.staging:
            return self.root / Path(self.staging).expanduser()
        if self.is_elsewhere:
            raise ConfigurationError(
                f"Spark runs at {self.remote or self.master}, and no folder is named that its executors see",
                code="DVT111",
                phase="plan",
                remedy=SHARE,
            )
        return other

    def seen(self, path: Path) -> str:
        """A staged file as the executors call it."""
        if not self.staging_as:
            return str(path)
        inner = path.relative_to(self.root / Path(self.staging).expanduser())
        return f"{self.staging_as.rstrip('/')}/{inner.as_posix()}"

    @property
    def is_open(self) -> bool:
        """Whether what is sent to a server of Spark Connect can be read on the way."""
        host = urlsplit(self.remote).hostname or ""
        return bool(self.remote) and "use_ssl=true" not in self.remote.lower() and host not in _LOOPBACK

    @property
    def lands_by(self) -> str:
        """Who lands a result in PostgreSQL: "executors", "driver", or "" for dvt itself."""
        if self.landing == "auto":
            return "executors" if self.has_executors else ""
        return "" if self.landing == "dvt" else self.landing

    def why_not_executors(self) -> str:
        """Why the executors must not be asked to land a result, in one line; empty when they may."""
        if self.is_open:
            return "the target's password would pass to Spark Connect without TLS (use_ssl=true)"
        return ""

    def settings(self, threads: int, memory_bytes: int) -> dict[str, str]:
        """Spark's settings.

        Args:
            threads: Of a local session.
            memory_bytes: Of one, where `memory` does not say it.
        """
        if self.remote:
            return {**_SESSION, **self.config, "spark.remote": self._address()}
        megabytes = max(memory_bytes >> 20, 1024)
        own = {
            "spark.master": self.master or f"local[{threads}]",
            "spark.app.name": "dvt",
            "spark.driver.memory": self.memory or f"{megabytes}m",
            "spark.sql.warehouse.dir": "{folder}/warehouse",
        }
        if self.is_local:
            own |= {"spark.driver.bindAddress": "127.0.0.1", "spark.driver.host": "127.0.0.1"}
            own["spark.sql.shuffle.partitions"] = str(threads)
        if self.packages:
            own["spark.jars.packages"] = ",".join(self.packages)
        return {**LOCAL_SETTINGS, **_SESSION, **own, **self.config}

    def _address(self) -> str:
        if not self.token_env:
            return self.remote
        if self.token_env not in os.environ:
            raise ConfigurationError(
                f"engines.spark: the environment variable {self.token_env} is not set",
                code="DVT111",
                remedy="Set it to the server's token",
            )
        token = Secret(os.environ[self.token_env])
        given = self.remote if "/;" in self.remote else f"{self.remote.rstrip('/')}/"
        return f"{given};token={quote(token.reveal(), safe='')}"


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
