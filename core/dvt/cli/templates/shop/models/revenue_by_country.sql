-- Joins three connections: the ERP (SQLite), the web's page views (Parquet) and a seed in the warehouse (DuckDB).
with customers as (
    select * from {{ source('erp', 'customers') }}
),

orders as (
    select * from {{ source('erp', 'orders') }}
),

page_views as (
    select * from {{ source('web', 'page_views') }}
),

sales as (
    select c.country, count(*) as orders, sum(o.amount) as revenue
    from orders as o
    join customers as c using (customer_id)
    group by c.country
),

visits as (
    select c.country, count(*) as page_views
    from page_views as v
    join customers as c using (customer_id)
    group by c.country
)

select
    n.country_name,
    s.orders,
    s.revenue,
    v.page_views,
    round(100 * s.orders / v.page_views, 1) as orders_per_100_views
from sales as s
join visits as v using (country)
join {{ ref('countries') }} as n using (country)
