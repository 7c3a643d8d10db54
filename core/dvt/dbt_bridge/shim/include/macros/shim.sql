{% macro mysql__current_timestamp() %}utc_timestamp(6){% endmacro %}
{% macro mariadb__current_timestamp() %}utc_timestamp(6){% endmacro %}
{% macro sqlite__current_timestamp() %}strftime('%Y-%m-%d %H:%M:%f', 'now'){% endmacro %}
{% macro files__current_timestamp() %}now(){% endmacro %}
{# This machine's clock, in UTC: the database's own has a zone, which ODBC cannot carry. #}
{% macro generic__current_timestamp() %}timestamp '{{ modules.datetime.datetime.utcnow().strftime("%Y-%m-%d %H:%M:%S.%f") }}'{% endmacro %}
{% macro clickhouse__current_timestamp() %}now64(6, 'UTC'){% endmacro %}

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
