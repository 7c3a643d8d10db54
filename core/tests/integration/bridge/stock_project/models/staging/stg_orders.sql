select order_id, customer_id, amount, ordered_at, {{ cents('amount') }} as amount_cents
from {{ ref('orders') }}
{% if var('late_order') %}union all select 14, 2, 1.00, date '2024-01-09', 100{% endif %}
