{{ config(event_time='placed_at', meta={'connection': 'shop'}) }}
select order_id, customer_id, amount, placed_at from {{ source('shop', 'orders') }}
