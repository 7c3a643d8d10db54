{{ config(materialized='stamped') }}
select c.customer_id, count(p.sku) as n
from {{ source('crm', 'customers') }} c cross join {{ source('erp', 'products') }} p
group by c.customer_id
