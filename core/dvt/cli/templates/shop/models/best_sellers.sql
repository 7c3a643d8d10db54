-- Reads one other connection, the ERP, and lands in the warehouse.
select p.category, p.name as product, sum(o.quantity) as sold, sum(o.amount) as revenue
from {{ source('erp', 'orders') }} as o
join {{ source('erp', 'products') }} as p using (product_id)
group by p.category, p.name
