-- The warehouse's total equals the ERP's, to the cent: one test over two connections.
select erp.total, warehouse.total as warehouse_total
from (select sum(amount) as total from {{ source('erp', 'orders') }}) as erp
cross join (select sum(revenue) as total from {{ ref('daily_revenue') }}) as warehouse
where erp.total is distinct from warehouse.total
