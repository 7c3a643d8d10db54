"""sling: one table from one database to another, by its own program, without telemetry and with a home of its own."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from pathlib import Path

import sling_linux_amd64
from stopwatch import main


def mysql_to_postgres(source: str, target: str, table: str, database: str, landed: str):
    """A table of MariaDB into one of PostgreSQL."""
    my, pg = (json.loads(Path(profile).read_text()) for profile in (source, target))
    mysql = {"type": "mysql", "host": my["server"], "port": my["port"], "database": my["schema"]}
    mysql |= {"user": my["username"], "password": my["password"]}
    postgres = {"type": "postgres", "host": pg["host"], "port": pg["port"], "sslmode": "disable"}
    postgres |= {"database": database, "user": pg["user"], "password": pg["password"]}
    program = next(iter(Path(sling_linux_amd64.__file__).parent.glob("bin/sling*")))
    with tempfile.TemporaryDirectory() as home:
        env = {
            **os.environ,
            "HOME": home,
            "SLING_HOME_DIR": home,
            "SLING_DISABLE_TELEMETRY": "true",
            "SOURCE": json.dumps(mysql),
            "TARGET": json.dumps(postgres),
        }
        words = ["run", "--src-conn", "SOURCE", "--src-stream", f"{my['schema']}.{table}"]
        words += ["--tgt-conn", "TARGET", "--tgt-object", f"public.{landed}", "--mode", "full-refresh"]
        done = subprocess.run([str(program), *words], env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit("\n".join((done.stderr + done.stdout).strip().splitlines()[-5:]))
    return {}, ""


if __name__ == "__main__":
    main({"mysql_to_postgres": mysql_to_postgres})
