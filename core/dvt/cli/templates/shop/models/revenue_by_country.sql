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
    select c.country, count(*) as order_count, sum(o.amount) as revenue
    from orders as o
    join customers as c using (customer_id)
    group by c.country
),

visits as (
    select c.country, count(*) as view_count
    from page_views as v
    join customers as c using (customer_id)
    group by c.country
)

select
    n.country_name,
    s.order_count,
    s.revenue,
    v.view_count,
    round(100 * s.order_count / v.view_count, 1) as orders_per_100_views
from sales as s
join visits as v using (country)
join {{ ref('countries') }} as n using (country)
