-- Three databases in one query: the CRM (PostgreSQL), the ERP (SQLite) and the web's page views (Parquet).
with customers as (
    select * from {{ ref('stg_customers') }}
),

orders as (
    select * from {{ ref('stg_orders') }}
),

page_views as (
    select * from {{ ref('stg_page_views') }}
),

sales as (
    select c.country, count(*) as order_count, sum(o.amount) as revenue
    from orders as o
    join customers as c on c.customer_id = o.customer_id
    group by c.country
),

visits as (
    select c.country, count(*) as view_count
    from page_views as v
    join customers as c on c.customer_id = v.customer_id
    group by c.country
)

select
    s.country,
    s.order_count,
    s.revenue,
    v.view_count,
    round(100 * s.order_count / v.view_count, 1) as orders_per_100_views
from sales as s
join visits as v on v.country = s.country
