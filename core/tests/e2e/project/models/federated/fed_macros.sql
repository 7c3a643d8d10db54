{% set found = run_query("select distinct category from " ~ source('erp', 'products') ~ " where category is not null order by 1") %}
{% set categories = found.columns[0].values() if execute else [] %}
select {{ star(source('crm', 'customers'), except=['name']) }},
       {% for category in categories %}
       (select count(*) from {{ source('erp', 'products') }} p where p.category = '{{ category }}') as {{ category }},
       {% endfor %}
       '{{ dialect() }}' as dialect,
       '{{ target.name }}/{{ target.type }}' as target,
       {{ dbt.datediff("'2024-01-01'::date", "'2024-03-01'::date", 'day') }} as days
from {{ source('crm', 'customers') }}
