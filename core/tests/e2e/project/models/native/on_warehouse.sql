select country, count(*) as n from {{ ref('fed_warehouse') }} group by country
