select o.order_id from {{ source('shop', 'orders') }} o
left join {{ source('crm', 'customers') }} c on c.customer_id = o.customer_id
where c.customer_id is null
