{{ config(materialized='incremental', incremental_strategy='microbatch', event_time='placed_at', batch_size='day',
          begin='2024-01-01', unique_key='order_id', meta={'connection': 'shop'}) }}
select o.order_id, o.placed_at, o.amount, c.country
from {{ ref('orders_by_time') }} o
join {{ source('crm', 'customers') }} c on c.customer_id = o.customer_id
