{% macro mysql__current_timestamp() %}utc_timestamp(6){% endmacro %}
{% macro mariadb__current_timestamp() %}utc_timestamp(6){% endmacro %}
{% macro sqlite__current_timestamp() %}strftime('%Y-%m-%d %H:%M:%f', 'now'){% endmacro %}
{% macro files__current_timestamp() %}now(){% endmacro %}
{# This machine's clock, in UTC: the database's own has a zone, which ODBC cannot carry. #}
{% macro generic__current_timestamp() %}timestamp '{{ modules.datetime.datetime.utcnow().strftime("%Y-%m-%d %H:%M:%S.%f") }}'{% endmacro %}
{% macro clickhouse__current_timestamp() %}now64(6, 'UTC'){% endmacro %}
{% macro exasol__current_timestamp() %}current_timestamp{% endmacro %}
{% macro databricks__current_timestamp() %}current_timestamp(){% endmacro %}
{% macro spark__current_timestamp() %}current_timestamp(){% endmacro %}
{% macro hive__current_timestamp() %}current_timestamp(){% endmacro %}
{% macro db2__current_timestamp() %}(current timestamp - current timezone){% endmacro %}
{# It has a zone of its own. #}
{% macro teradata__current_timestamp() %}current_timestamp{% endmacro %}
{# Teradata has no truth values, and TOP where others have LIMIT. #}
{% macro teradata__get_test_sql(main_sql, fail_calc, warn_if, error_if, limit) %}
  select
    {{ fail_calc }} as failures,
    case when {{ fail_calc }} {{ warn_if }} then 'true' else 'false' end as should_warn,
    case when {{ fail_calc }} {{ error_if }} then 'true' else 'false' end as should_error
  from (
    {% if limit %}select top {{ limit }} * from ({{ main_sql }}) dvt_limited{% else %}{{ main_sql }}{% endif %}
  ) dbt_internal_test
{% endmacro %}
{% macro trino__current_timestamp() %}current_timestamp(6){% endmacro %}
{% macro sqlserver__current_timestamp() %}sysutcdatetime(){% endmacro %}
{% macro oracle__current_timestamp() %}sys_extract_utc(systimestamp){% endmacro %}
{% macro bigquery__current_timestamp() %}current_timestamp(){% endmacro %}
{% macro snowflake__current_timestamp() %}convert_timezone('UTC', current_timestamp()){% endmacro %}
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

{# Neither has a boolean that stands in a select list. #}
{% macro shim_test_sql(main_sql, fail_calc, warn_if, error_if, limit) %}
  select {{ fail_calc }} as failures,
    case when {{ fail_calc }} {{ warn_if }} then 'true' else 'false' end as should_warn,
    case when {{ fail_calc }} {{ error_if }} then 'true' else 'false' end as should_error
  from ({{ main_sql }}
  {{ "order by 1 offset 0 rows fetch first " ~ limit ~ " rows only" if limit is not none }}) dbt_internal_test
{% endmacro %}
{% macro sqlserver__get_test_sql(main_sql, fail_calc, warn_if, error_if, limit) %}
  {{ return(shim_test_sql(main_sql, fail_calc, warn_if, error_if, limit)) }}
{% endmacro %}
{% macro oracle__get_test_sql(main_sql, fail_calc, warn_if, error_if, limit) %}
  {{ return(shim_test_sql(main_sql, fail_calc, warn_if, error_if, limit)) }}
{% endmacro %}
