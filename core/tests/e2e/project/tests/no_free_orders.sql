{{ config(store_failures=true, severity='warn') }}
select o.order_id, c.name from {{ source('shop', 'orders') }} o
join {{ source('crm', 'customers') }} c on c.customer_id = o.customer_id
where o.amount = 0
