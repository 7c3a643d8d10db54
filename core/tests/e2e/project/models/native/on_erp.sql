select p.category, count(*) as n, max(t.pct) as pct from {{ source('erp', 'products') }} p left join {{ ref('tariffs') }} t on t.category = p.category group by p.category
