-- Business customers only: the filter is sent to PostgreSQL.
with customers as (
    select * from {{ ref('stg_customers') }}
),

orders as (
    select * from {{ ref('stg_orders') }}
)

select
    c.customer_id,
    c.customer_name,
    c.country,
    count(*) as order_count,
    sum(o.amount) as revenue,
    max(o.ordered_at) as last_order_at
from customers as c
join orders as o on o.customer_id = c.customer_id
where c.segment = 'business'
group by c.customer_id, c.customer_name, c.country
