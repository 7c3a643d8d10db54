with orders as (
    select * from {{ source('erp', 'orders') }}
),

products as (
    select * from {{ source('erp', 'products') }}
)

select o.order_id, o.customer_id, p.category, o.quantity, o.amount, o.ordered_at
from orders as o
join products as p on p.product_id = o.product_id
