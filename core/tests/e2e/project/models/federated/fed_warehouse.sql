{{ config(pre_hook="insert into {{ target.schema }}.hook_log values ('pre')",
          post_hook="insert into {{ target.schema }}.hook_log values ('post')",
          grants={'select': ['pg_read_all_data']},
          indexes=[{'columns': ['country']}]) }}
select o.order_id, o.country, o.name, o.amount, p.category, p.price,
       o.amount * p.price as value, o.placed_at
from {{ ref('orders_with_customer') }} o
left join {{ source('erp', 'products') }} p on p.sku = o.sku
