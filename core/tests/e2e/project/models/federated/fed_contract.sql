select customer_id, name, country from {{ source('crm', 'customers') }}
where customer_id in (select customer_id from {{ source('shop', 'orders') }})
