"""The README's tables are made from the specs; `python core/tests/unit/test_readme.py` writes them anew."""

from __future__ import annotations

import re
from pathlib import Path

from dvt.connections.spec import COMMON_OPTIONS, Option
from dvt.federation.plan.pushdown import Pushdown
from dvt.federation.registry import extractor_class, known_types
from dvt.federation.settings import KEYS, load_settings

README = Path(__file__).parents[3] / "README.md"
SETTINGS = {
    "engine": ("duckdb", "the compute engine: `duckdb`, `spark`, or `auto`, which is Spark for what is large"),
    "engines": (
        "{}",
        "`spark`: `master` (and `memory`, `packages`, `home`) or `remote` (and `token_env`), `config`; `staging`"
        " (a folder or a bucket), `staging_as`, `store`, `landing`, `landing_sessions` ([scaling](docs/scaling.md))",
    ),
    "auto_bytes": ("50GB", "`auto`: Spark computes what reads more, by the statistics of all its sources"),
    "memory_limit": ("50%", "memory that all engines of a run hold together: `4GB`, or a percentage of the machine's"),
    "threads": ("all cores", "threads of one engine"),
    "staging_folder": ("target/dvt", "where staged and spilled data lie during a run; removed afterwards"),
    "pushdown": ("safe", "how much of a query its sources do: `off`, `safe` or `full` (docs/pushdown.md)"),
    "pushdown_without": ("[]", "what `full` leaves out: a list of `joins`, `groups`, `keys` (docs/pushdown.md)"),
    "direct": ("true", "whether a plain read of one relation goes past the engine (docs/pushdown.md)"),
}


def _row(option: Option, types: str) -> str:
    choices = f" ({', '.join(option.choices)})" if option.choices else ""
    default = f'`"{option.default}"`' if option.kind == "str" and not option.choices else f"`{option.default}`"
    shown = "empty" if option.default in ("", None) else default
    return f"| `{option.name}` | {types} | {shown} | {option.doc}{choices} |"


def options_table() -> str:
    """Every option of every connection type."""
    lines = ["| option | types | default | |", "|---|---|---|---|"]
    lines += [_row(option, "all") for option in COMMON_OPTIONS]
    by_option: dict[Option, list[str]] = {}
    for type_ in known_types():
        for option in extractor_class(type_).spec_for(type_).options:
            by_option.setdefault(option, []).append(type_)
    lines += [_row(option, ", ".join(types)) for option, types in by_option.items()]
    return "\n".join(lines)


def settings_table() -> str:
    """Every key of dvt.yml."""
    lines = ["| key | default | |", "|---|---|---|"]
    lines += [f"| `{key}` | `{default}` | {doc} |" for key, (default, doc) in SETTINGS.items()]
    return "\n".join(lines)


def _between(text: str, start: str, end: str) -> str:
    found = re.search(re.escape(start) + r"\n(.*?)\n" + re.escape(end), text, re.DOTALL)
    assert found is not None, f"the README has no {start}"
    return found.group(1)


OPTIONS = ("<!-- options: core/tests/unit/test_readme.py keeps this table true -->", "<!-- end options -->")
PROJECT = ("<!-- settings: core/tests/unit/test_readme.py keeps this table true -->", "<!-- end settings -->")


def test_every_option_of_every_connection_stands_in_the_readme() -> None:
    assert _between(README.read_text(encoding="utf-8"), *OPTIONS) == options_table()


def test_every_key_of_the_project_settings_stands_in_the_readme(tmp_path: Path) -> None:
    assert _between(README.read_text(encoding="utf-8"), *PROJECT) == settings_table()
    file = tmp_path / "dvt.yml"
    file.write_text(
        "engine: duckdb\nmemory_limit: 1GB\nthreads: 2\nstaging_folder: staged\npushdown: off\ndirect: false\n",
        encoding="utf-8",
    )
    settings = load_settings(file)
    assert (settings.engine, settings.memory_bytes, settings.engine_threads) == ("duckdb", 10**9, 2)
    assert (settings.pushdown, settings.direct) == (Pushdown.OFF, False)
    assert set(SETTINGS) == set(KEYS)


def test_every_extra_of_the_package_stands_in_the_readme() -> None:
    project = (README.parent / "pyproject.toml").read_text(encoding="utf-8")
    extras = re.findall(
        r"^([a-z-]+) = \[", _between(project, "[project.optional-dependencies]", "[project.scripts]"), re.M
    )
    rows = set(re.findall(r"^\| `([a-z-]+)` \|", README.read_text(encoding="utf-8"), re.M))
    assert set(extras) <= rows


if __name__ == "__main__":
    written = README.read_text(encoding="utf-8")
    for (start, end), table in ((OPTIONS, options_table()), (PROJECT, settings_table())):
        written = written.replace(f"{start}\n{_between(written, start, end)}\n{end}", f"{start}\n{table}\n{end}")
    README.write_text(written, encoding="utf-8")
