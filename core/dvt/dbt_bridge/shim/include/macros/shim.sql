{% macro mysql__current_timestamp() %}utc_timestamp(6){% endmacro %}
{% macro mariadb__current_timestamp() %}utc_timestamp(6){% endmacro %}
{% macro sqlite__current_timestamp() %}strftime('%Y-%m-%d %H:%M:%f', 'now'){% endmacro %}
{% macro files__current_timestamp() %}now(){% endmacro %}
{% macro clickhouse__current_timestamp() %}now64(6, 'UTC'){% endmacro %}
{% macro trino__current_timestamp() %}current_timestamp(6){% endmacro %}
{% macro redshift__current_timestamp() %}getdate(){% endmacro %}
{% macro vertica__current_timestamp() %}current_timestamp(6){% endmacro %}
{% macro firebolt__current_timestamp() %}now(){% endmacro %}
{% macro athena__current_timestamp() %}now(){% endmacro %}

{% macro sqlite__get_binding_char() %}{{ return('?') }}{% endmacro %}
{# Emptying the table first begins the transaction, so that a load that fails takes the drop back, too. #}
{% macro sqlite__reset_csv_table(model, full_refresh, old_relation, agate_table) %}
  {% if full_refresh %}{% do adapter.truncate_relation(old_relation) %}{% endif %}
  {{ return(default__reset_csv_table(model, full_refresh, old_relation, agate_table)) }}
{% endmacro %}
{# SQLite binds at most 32,766 values in one statement. #}
{% macro sqlite__get_batch_size() %}{{ return(200) }}{% endmacro %}
{% macro mysql__get_batch_size() %}{{ return(1000) }}{% endmacro %}
{% macro mariadb__get_batch_size() %}{{ return(1000) }}{% endmacro %}
{% macro snowflake__current_timestamp() %}convert_timezone('UTC', current_timestamp()){% endmacro %}
