"""`meta.dvt_verify`: a warehouse that changes what it is given, and what a run says of it."""

from __future__ import annotations

import pytest
from fault.shop import MODEL, Shop

pytestmark = pytest.mark.postgres

# Every table that is made gets a trigger; without it nobody but the administrator could change what COPY brings.
MEDDLING = """
create function meddle() returns trigger language plpgsql as $$
begin new.name := replace(new.name, 'Bob', 'Rob'); return new; end $$;
create function watch() returns event_trigger language plpgsql as $$
declare made record;
begin
    for made in select * from pg_event_trigger_ddl_commands() where command_tag = 'CREATE TABLE' loop
        execute format('create trigger t before insert on %s for each row execute function %s.meddle()',
                       made.object_identity, 'public');
    end loop;
end $$;
create event trigger watching on ddl_command_end when tag in ('CREATE TABLE') execute function watch();
"""


def _model(level: str) -> str:
    return "{{ config(meta={'dvt_verify': '" + level + "'}) }} " + MODEL


def test_a_changed_value_stops_the_run_and_the_old_table_stays(shop: Shop) -> None:
    shop.build_old()
    shop.warehouse(MEDDLING)
    shop.project.write(models__m__sql=_model("hash"))
    ended = shop.project.run("run", code=1)
    assert "DVT420" in ended.output
    assert "the rows' hashes do not add up to the same" in ended.output
    shop.check_whole()
    shop.project.write(models__m__sql=_model("sums"))  # a text of the same length adds nothing up
    shop.project.run("run", code=0)
    shop.check_whole(content="1|Ann\n2|Rob")


@pytest.mark.parametrize("level", ["count", "sums", "hash"])
def test_what_is_as_it_was_sent_lands(shop: Shop, level: str) -> None:
    shop.build_old()
    shop.project.write(models__m__sql=_model(level))
    shop.project.run("run", code=0)
    shop.check_whole(content="1|Ann\n2|Bob")


def test_bad_levels_are_refused_by_name(shop: Shop) -> None:
    shop.project.write(models__m__sql=_model("sha"))
    ended = shop.project.run("run", code=2)
    assert "option meta.dvt_verify is 'sha'" in ended.output
    assert "It takes one of: count, sums, hash" in ended.output
    shop.project.outputs["lake"] = {"type": "files", "path": "lake"}
    shop.project.write_profile()
    shop.project.write(models__m__sql="{{ config(meta={'connection': 'lake', 'dvt_verify': 'sums'}) }} " + MODEL)
    ended = shop.project.run("run", code=1)
    assert "tables of type files cannot be compared by sums" in ended.output
    assert not list(shop.project.folder.glob("lake/**/*.parquet"))
