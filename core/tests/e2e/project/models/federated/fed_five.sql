select c.name, count(distinct o.order_id) as orders, count(distinct s.shipment_id) as shipments,
       count(distinct e.event_id) as events, count(distinct p.category) as categories
from {{ source('crm', 'customers') }} c
left join {{ source('shop', 'orders') }} o on o.customer_id = c.customer_id
left join {{ source('lake', 'shipments') }} s on s.order_id = o.order_id
left join {{ source('web', 'events') }} e on e.customer_id = c.customer_id
left join {{ source('erp', 'products') }} p on p.sku = o.sku
group by c.name
