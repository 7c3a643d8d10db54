-- Its only input lives where it lands: plain dbt in DuckDB.
select date_trunc('month', day) as month, sum(order_count) as order_count, sum(revenue) as revenue
from {{ ref('daily_revenue') }}
group by date_trunc('month', day)
