{{ config(materialized='incremental', unique_key='order_id', on_schema_change='append_new_columns', tags=['nightly']) }}
select * from {{ ref('stg_orders') }}
{% if is_incremental() %}where ordered_at > (select max(ordered_at) from {{ this }}){% endif %}
