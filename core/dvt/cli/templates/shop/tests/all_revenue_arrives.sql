-- The model's total equals the ERP's, to the cent: a test may read several connections, too.
select erp.total, model.total as model_total
from (select sum(amount) as total from {{ source('erp', 'orders') }}) as erp
cross join (select sum(revenue) as total from {{ ref('revenue_by_country') }}) as model
where erp.total is distinct from model.total
