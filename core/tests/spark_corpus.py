"""What is asked of DuckDB and of Spark: a table with traps, what both answer alike, and what Spark is not asked."""

from __future__ import annotations

import datetime
import random
from decimal import Decimal

import pyarrow as pa

# A row of ordinary values, one with signs and quotes, one of NULLs and NaN, one of limits and blanks.
TABLE = """select * from (values
  (1, 'a', 1.50::decimal(10,2), 1.5::double, date '2024-01-31', timestamp '2024-01-31 10:11:12.5', true,
   timestamptz '2024-06-01 12:00:00+00', 5::ubigint, 'é\\x', '6f2c1f9e-1111-4222-8333-444455556666'::uuid, 7::utinyint),
  (2, 'b''s', -2.25, -2.5, date '2023-12-31', timestamp '2023-12-31 23:59:59', false,
   timestamptz '2024-06-02 12:00:00.25+00', 6, 'A%b', null, 254),
  (3, null, null, 'nan'::double, null, null, null, null, null, '', null, null),
  (null, 'abc', 0.00, 0.0, date '2020-02-29', timestamp '2020-02-29 00:00:00', true,
   timestamptz '1999-12-31 23:00:00+00', 18446744073709551615, ' x ', 'ffffffff-1111-4222-8333-444455556666', 0))
  v(i, t, d, f, day, ts, b, tz, u, t2, id, small)"""

# Expressions over each row, by what could differ; a job of Spark's takes a second, so that one query asks many.
EXPRESSIONS = {
    "division": ["i/2", "d/3", "f/0", "i/0", "0/0.0", "-i/0", "7/nullif(d, 0)", "7/u", "1e300/(d/1000)"],
    "whole division": ["i//2", "i%2", "-i//2", "-7 % 3", "7 % -3", "u//2", "d % 2"],
    "numbers": [
        *(
            "floor(f)",
            "ceil(f)",
            "round(f)",
            "round(d, 1)",
            "round(f*1.005, 2)",
            "round(0.285::double, 2)",
            "round(-1.005::double, 2)",
            "round(f, 1)",
            "abs(d)",
            "sqrt(f)",
            "exp(f)",
            "f**2",
        ),
        *("sign(d)", "floor(d)", "ceil(d)", "-d", "d*d", "d+1", "d*1.5", "floor(1e300)", "d*f", "i+0.1", "1.50-d"),
    ],
    "casts": [
        *("i::bigint", "d::int", "cast(d*1.0 as int)", "2.5::double::int", "3.5::double::int", "2.5::int", "'7'::int"),
        *(
            "d::double",
            "1.25::double::decimal(10,1)",
            "0.285::double::decimal(10,2)",
            "i::decimal(5,2)",
            "small::int",
            "i::hugeint",
            "day::timestamp",
        ),
        *("ts::date", "tz::date", "tz::timestamp", "b::int", "(i-1)::boolean", "'2024-01-01'::date"),
    ],
    "unsigned": ["u", "u + 1 < 7", "small + 1", "u - 5"],
    "texts of values": [
        *("d::varchar", "i::varchar||t", "concat(t, i, d)", "day::varchar", "ts::varchar", "tz::varchar", "b::varchar"),
        *("t||null", "concat_ws('-', t, i)", "t||tz", "id::varchar", "'a'||1.50", "u::varchar"),
    ],
    "dates": [
        *("day - date '2023-01-01'", "day + 1", "day - 1", "day + interval 1 month", "ts - interval '2 hours'"),
        *("date_trunc('month', day)", "date_trunc('week', ts)", "date_trunc('day', tz)", "day = ts::date", "day < ts"),
        *("tz > timestamptz '2000-01-01 00:00:00+00'", "ts + interval '-1' day", "day >= '2024-01-01'"),
    ],
    "parts of dates": [
        *("extract(dow from day)", "dayofweek(day)", "year(day)", "month(ts)", "extract(week from day)", "hour(tz)"),
        *("extract(doy from day)", "extract(second from ts)", "quarter(day)", "date_diff('month', day, ts)"),
        *("date_diff('day', ts, day)", "date_diff('year', day, date '2024-01-01')", "make_date(2024, 2, 29)"),
        *("strftime(ts, '%Y-%m-%d %H:%M:%S')", "last_day(day)"),
    ],
    "texts": [
        *("upper(t)", "lower(t2)", "length(t2)", "trim(t2)", "substring(t, 2)", "substring(t, 1, 1)", "left(t, 1)"),
        *("right(t, 2)", "split_part(t2, '%', 1)", "strpos(t, 'b')", "replace(t, 'b', 'x')", "starts_with(t, 'a')"),
        *("reverse(t)", "ltrim(t, 'a')", "repeat(t, 2)", "md5(t)", "contains(t, 'b')", "regexp_matches(t, '^a')"),
        *("substring(t, i)", "t || chr(9)", "t < t2", "t = 'A'"),
    ],
    "patterns": [
        *("t like 'a%'", "t2 like '%\\%'", "t2 like 'A\\%b'", "t2 ilike 'a%'", "t like t2"),
        *("t2 like 'A!%b' escape '!'", "t2 like '%\\x'", "t2 not like '_\\_'"),
    ],
    "choices": [
        *("coalesce(t, 'x')", "coalesce(i, 0)", "nullif(i, 2)", "case when b then 1 else 2.5 end", "greatest(i, 2)"),
        *("least(d, 1)", "if(b, 'y', 'n')", "case i when 1 then 'one' end", "i in (1, null)", "i between 1 and 2"),
        *("i is not distinct from null", "i is null or b", "not b and null"),
    ],
}

# Over rows of `random_rows`.
RANDOM = [
    *("round(f,2)", "round(f,1)", "round(f,3)", "round(f)", "f::decimal(18,2)", "f::decimal(18,3)", "f::bigint"),
    *("floor(f)", "ceil(f)", "f/3", "f*d", "d::int", "round(d,1)", "round(d,2)", "d::decimal(12,1)", "d/7", "d%7"),
    *("f%3", "abs(f)", "sqrt(abs(f))", "day+1", "day+interval 1 month", "day - interval 7 month"),
    *("date_trunc('week',day)", "date_trunc('quarter',ts)", "extract(week from day)", "extract(dow from day)"),
    *("extract(isodow from day)", "extract(doy from ts)", "date_diff('month',day,ts)", "date_diff('day',ts,day)"),
    *("strftime(ts,'%Y-%m-%d %H:%M:%S')", "ts::varchar", "day::varchar", "d::varchar", "ts::date", "last_day(day)"),
    *("upper(t)", "lower(t)", "trim(t)", "length(t)", "left(t,2)", "right(t,3)", "substring(t,2,3)"),
    *("split_part(t,',',2)", "strpos(t,'a')", "replace(t,'a','--')", "t like '%a_%'", "t ilike 'a%'"),
    *("t like '%\\%%'", "t like '%\\_'", "md5(t)", "t||d", "starts_with(t,'a')", "t<'b'", "repeat(t,2)"),
    *("concat(t,null,i)", "regexp_matches(t,'^a[bA]+')", "i%7", "-i//7", "sign(f)", "f**2", "exp(f/1e12)"),
    *("greatest(f,d)", "d*1.05", "d+0.1", "extract(second from ts)", "extract(hour from ts)"),
    *("ts - interval 90 minute", "ts::date - day", "f+d", "d = round(d,2)", "f between -1 and 1.5"),
    *("coalesce(nullif(t,''),'none')", "round(f/d,4)", "f > d"),
]

# By what could differ.
QUERIES = {
    "every column": "select * from db.main.t order by i",
    "aggregates": """select sum(i), avg(i), avg(d), sum(d), avg(f), min(t), max(day), count(*), count(t), sum(u),
      sum(b), avg(u), sum(small), count_if(b), bool_and(b), bool_or(b), count(distinct t), min(f), max(f), any_value(7),
      sum(i)*2, sum(i)/2, sum(i) filter (where i > 1), sum(d)*1.5 from db.t""",
    "spread": "select stddev(i), var_pop(d), stddev_pop(i), variance(i) from db.t where i < 3",
    "averages of groups": """select b, avg(d) filter (where d > 0), avg(distinct d), avg(i), sum(i)/2 as half,
      count(*) filter (where i > 1), sum(distinct i) from db.t group by all order by all""",
    "windows": """select i, row_number() over (order by t desc), avg(d) filter (where d > 0) over (partition by b),
      sum(i) over (order by i rows between 1 preceding and current row), lag(i) over (order by i),
      rank() over (order by b), first_value(t) over (order by i), ntile(2) over (order by i),
      last_value(t ignore nulls) over (order by i) from db.t order by i""",
    "joins": """with a as (select i, t from db.t where i is not null), b as (select distinct i from a)
      select a.*, b.i as bi, y.i as yi from a left join b using (i) full join db.t y on a.i = y.i + 1
      where a.i not in (select 3) or a.i is null order by 1 desc, 4""",
    "semi joins": """select i from db.t x semi join (select 2 as i) y using (i) union all
      select i from db.t anti join (select 1 as i) y using (i) order by 1""",
    "sets": "select i from db.t union (select 10 except select 11) intersect select i from db.t order by 1",
    "set of texts": "select t from db.t except select 'a' order by 1",
    "distinct on": "select b, i from (select distinct on (b) b, i from db.t order by b, i) order by b",
    "qualify": "select i from db.t qualify row_number() over (partition by b order by i) = 1 order by i",
    "order and nulls": "select t, f from db.t order by t desc, f desc nulls first limit 3 offset 1",
    "rollup": "select b, s from (select b, sum(i) s from db.t group by rollup(b)) order by 1, 2",
    "subqueries": """select i, (select max(i) from db.t) m from db.t x where exists
      (select 1 from db.t y where y.i = x.i + 1) order by i""",
    "constants": "select null as n, 1 as a, 'x' as \"B c\", 1.0 as d, 'a\\b\n' as s, date '2024-01-01' as e",
    "uuids": """select id, count(*) from db.t where id = '6F2C1F9E-1111-4222-8333-444455556666' or id is null
      group by id order by 1""",
    "values": "select n, s, i from (values (1, 'b''s'), (2, null)) x(n, s) left join db.t on t = s order by n",
    "no rows": "select i, t, sum(d) from db.t where i > 100 group by all",
    "aliases": "select i + 1 as j, j * 2 as k, t.t, db.main.t.d from db.main.t where j > 2 order by k, t.i",
}

# What both refuse, each in its own words: an overflow is an error, not another number.
FAILING = {
    "overflow": "select 9223372036854775807 + i from db.t",
    "overflow of a sum": "select sum(i) * 99999999999999999999999999999999999999 from db.t",
    "a text that is no number": "select t::int from db.t",
    "a number out of range": "select (i * 1000000000000)::int from db.t",
    "whole division by zero": "select i // 0 from db.t",
    "several rows where one is wanted": "select (select i from db.t) from db.t",
}

# What Spark would answer in another way, or not at all, with what the error names.
REFUSED = {
    "select list(i) from db.t": "function array_agg",
    "select strftime(day, '%b') from db.t": "of a format only",
    "select t[1] from db.t": "BRACKET",
    "select f::varchar from db.t": "text of a float",
    "select f || t from db.t": "text of a float",
    "select concat(t, f) from db.t": "text of a float",
    "select id::blob from db.t": "casts to",
    "select i from db.t join range(3) r(x) on x = i": "function range",
    "select log(f) from db.t": "function log",
    "select ts - timestamp '2024-01-01' from db.t": "intervals between moments",
    "select interval 1 day from db.t": "only where they are added",
    "select date_diff('week', day, day) from db.t": "days, months and years",
    "select try_cast(t as int) from db.t": "function try_cast",
    "select t from db.t union all select i from db.t": "different kinds",
    "select coalesce(t, i::varchar), if(b, t, b) from db.t": "mixes",
    "select i from db.t where t = i": "mixes numbers and text",
    "select string_agg(t, ',') from db.t": "function listagg",
    "select unnest([1, 2])": "unnest",
    "with recursive r(n) as (select 1 union all select n + 1 from r where n < 3) select n from r": "recursive",
    "select i from db.t qualify row_number() over (order by i) = 1 limit 1": "QUALIFY",
    "select t glob 'a*' from db.t": "GLOB",
    "select t similar to 'a' from db.t": "SIMILARTO",
    "select i // 2.5 from db.t": "whole numbers",
    "pivot db.t on b using sum(i)": "PIVOT",
    "select x.i from db.t x asof join db.t y on x.i >= y.i": "ASOF",
    "select day + interval (i) day from db.t": "literal number of units",
    "select round(f, i) from db.t": "a literal only",
    "select round(f, -1) from db.t": "0 to 15 digits",
    "select 0.1::float = 0.1": "four bytes",
    "select 0.1::float + 1": "four bytes",
    "select 0.1::float / 3": "eight bytes",
    "select x.i from db.t x natural join db.t y": "NATURAL",
    "select regexp_matches(t, 'a.$') from db.t": "patterns of letters",
    "select split_part(t, '', 1) from db.t": "not empty",
    "select random()": "function rand",
    "select chr(i) from db.t": "from 1 to 127",
    "select clock from db.t": "does not read TIME",
    "select a from db.t as x(a)": "does not read TIME",
    "select n from (values (1)) x(n) union by name select 2 as n": "BY NAME",
    "select * from db.t": "does not read TIME",
}

# Places and letters of which the words of Spark would make something else: the query stops.
STOPPED = {
    "select substring(t, i - 1) from db.t where i = 1": "substring",
    "select left(t, i - 2) from db.t where i = 1": "left",
    "select upper('ß' || t) from db.t": "upper or lower case",
    "select lower('Σ' || t) from db.t": "upper or lower case",
    "select reverse(t2) from db.t": "reverse takes",
    "select 'Σ' || t ilike 'a' from db.t": "another lower case",
    "select (f * 1e16)::decimal(38, 2) from db.t where i = 1": "more than 15 digits",
    "select ln(d) from db.t where t = 'abc'": "ln takes",
}


def random_rows(count: int, seed: int) -> pa.Table:
    """Floats near the middle between two roundings, decimals, dates, moments and short texts with what escapes."""
    rng = random.Random(seed)
    choices = (
        lambda: rng.uniform(-10, 10),
        lambda: round(rng.uniform(-1000, 1000), 3),
        lambda: rng.randint(-2000, 2000) / 8,
        lambda: rng.uniform(-1e12, 1e12),
        lambda: rng.randint(0, 10**6) / 1000 + 0.005,
    )
    days = [datetime.date(1600, 1, 1) + datetime.timedelta(rng.randint(0, 200_000)) for _ in range(count)]
    moments = [datetime.datetime(1700, 1, 1) + datetime.timedelta(microseconds=rng.randint(0, 10**16)) for _ in days]
    texts = ["".join(rng.choice("abAB %_\\'\"éж,xyz 0123\t") for _ in range(rng.randint(0, 8))) for _ in days]
    return pa.table(
        {
            "i": pa.array(range(count), pa.int64()),
            "f": pa.array([rng.choice(choices)() for _ in days]),
            "d": pa.array([Decimal(rng.randint(-(10**9), 10**9)).scaleb(-3) for _ in days], pa.decimal128(12, 3)),
            "day": pa.array(days),
            "ts": pa.array(moments, pa.timestamp("us")),
            "t": pa.array(texts),
        }
    )


# Every type that Spark gives, with what is easily changed on the way.
TYPES = """select * from (values
  (1::bigint, ''::varchar, true, 1::tinyint, -2::smallint, 3::int, 1.10::decimal(10,2), 0.1::double, 1.1::float,
   date '2024-02-29', timestamp '2024-02-29 23:59:59.000001', timestamptz '2024-03-31 02:30:00+02',
   uuid '6f2c1f9e-1111-4222-8333-444455556666', '{"a": 1.0}'::json, 18446744073709551615::ubigint, '\\x00\\xFF'::blob),
  (2, e'a\\tb\\n"c", \\\\N \\\\. é ', false, -128, 32767, -2147483648, -99999999.99, 'nan', 'inf',
   date '0001-01-01', timestamp '0001-01-01 00:00:00', timestamptz '9999-12-31 23:59:59.999999+00',
   'ffffffff-1111-4222-8333-444455556666', '[]', 0, ''),
  (3, '\\N', null, null, null, null, null, '-inf', '-0.0', null, null, null, null, null, null, null),
  (4, null, null, null, null, null, 0, 1e300, 3.4028235e38, '9999-12-31', '1969-12-31 23:59:59.999999',
   '1582-10-04 00:00:00+00', null, 'null', 1, '\\x5C'))
  v(i, t, b, i1, i2, i4, n, f8, f4, day, ts, tz, id, j, u, raw)"""
