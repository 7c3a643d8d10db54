{{ config(materialized='incremental', incremental_strategy='append') }}
select o.order_id, o.customer_id, c.country, o.amount, o.updated_at
from {{ source('shop', 'orders') }} o
join {{ source('crm', 'customers') }} c on c.customer_id = o.customer_id
{% if is_incremental() %}
where o.updated_at > (select max(updated_at) from {{ this }})
{% endif %}
