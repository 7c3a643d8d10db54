{{ config(tags=['slow']) }}
select country, revenue {% if var('break_it') %}/ no_such_column{% endif %} as revenue from {{ ref('revenue') }}
