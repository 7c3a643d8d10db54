{{ config(materialized='ephemeral') }}
with customers as (
    select * from {{ source('crm', 'customers') }}
),
orders as (
    select * from {{ source('shop', 'orders') }}
)
select o.order_id, o.customer_id, o.sku, o.amount, o.status, o.placed_at, c.name, c.country
from orders o
join customers c on c.customer_id = o.customer_id
