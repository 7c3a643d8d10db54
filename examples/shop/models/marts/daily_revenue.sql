-- The first run computes every day; later runs compute the last day that is there, and what came after it.
{{ config(materialized='incremental', incremental_strategy='delete+insert', unique_key=['day', 'segment']) }}

with customers as (
    select * from {{ ref('stg_customers') }}
),

orders as (
    select * from {{ ref('stg_orders') }}
    {% if is_incremental() %}
    where ordered_at >= (select max(day) from {{ this }})
    {% endif %}
)

select cast(o.ordered_at as date) as day, c.segment, count(*) as order_count, sum(o.amount) as revenue
from orders as o
join customers as c on c.customer_id = o.customer_id
group by cast(o.ordered_at as date), c.segment
