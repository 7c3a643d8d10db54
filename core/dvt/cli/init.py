"""`dvt init`: a project that runs at once, with sample data of its own."""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dvt.cli.sample_shop import make_shop, write_page_views, write_sqlite
from dvt.errors import ConfigurationError

if TYPE_CHECKING:
    from importlib.abc import Traversable

# dbt's own rule for project names, and short enough for every engine's identifiers.
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")
_PLACEHOLDER = "shop_name"


@click.command("init")
@click.argument("name")
@click.option("-q/", "--quiet/--no-quiet", envvar="DBT_QUIET", help="Print errors only.")
def command(name: str, quiet: bool) -> int:
    """Make the folder NAME with a dbt project, a profile of three connections, and sample data.

    The project reads a SQLite file and Parquet files and lands in DuckDB: `cd NAME && dvt build` runs at once.
    """
    if not _NAME.fullmatch(name):
        raise ConfigurationError(
            f"'{name}' cannot name a project",
            code="DVT130",
            remedy="Use letters, digits and underscores, and begin with a letter: for example `dvt init shop`",
        )
    folder = Path(name)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ConfigurationError(
            f"{folder.resolve()} exists and is not an empty folder",
            code="DVT131",
            remedy="Give another name, or remove it",
        )
    written = _write_template(files("dvt.cli") / "templates" / "shop", folder, name)
    _write_data(folder / "data")
    if not quiet:
        click.echo(f"Made {folder}/ with {written} files and sample data. Next:\n\n  cd {name}\n  dvt build\n")
    return 0


def _write_template(source: Traversable, folder: Path, name: str) -> int:
    """Copy the template with the project's name put in; gives the number of files."""
    folder.mkdir(parents=True, exist_ok=True)
    written = 0
    for entry in source.iterdir():
        if entry.is_dir():
            written += _write_template(entry, folder / entry.name, name)
        else:
            # A .gitignore in the package would be read by git, and by the wheel's builder, as their own.
            target = folder / (".gitignore" if entry.name == "gitignore" else entry.name)
            target.write_text(entry.read_text(encoding="utf-8").replace(_PLACEHOLDER, name), encoding="utf-8")
            written += 1
    return written


def _write_data(folder: Path) -> None:
    folder.mkdir(parents=True)
    shop = make_shop(customers=400, orders=2_000, page_views=6_000)
    write_sqlite(folder / "erp.db", shop, ("customers", "products", "orders"))
    write_page_views(folder / "web", shop)
