select country, category, count(*)::bigint as n, sum(value)::decimal(18, 4) as value from {{ ref('fed_warehouse') }} group by country, category
