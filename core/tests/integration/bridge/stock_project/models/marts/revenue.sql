select c.country, n.name, sum(o.amount) as revenue, count(*) as orders
from {{ ref('stg_orders') }} o
join {{ ref('stg_customers') }} c using (customer_id)
join {{ ref('named') }} n using (customer_id)
group by all
