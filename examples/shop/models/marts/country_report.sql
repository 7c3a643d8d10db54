-- Both inputs live where it lands, so this is plain dbt in DuckDB.
select
    c.country_name,
    r.order_count,
    r.revenue,
    cast(r.revenue / (1 + c.vat_rate) as decimal(18, 2)) as revenue_net,
    r.view_count,
    r.orders_per_100_views
from {{ ref('revenue_by_country') }} as r
join {{ ref('countries') }} as c on c.country = r.country
