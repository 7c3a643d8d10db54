{#
  Stands in the place of dbt's `default__load_csv_rows` for seeds that are loaded in bulk. The table is dbt's, with dbt's
  types: where the one that is there has others, the rows go in by dbt's own statements, which convert by other rules.
#}
{% macro dvt_load_csv_rows(model, agate_table) %}
  {% set seeding = config.get('dvt_seeding') %}
  {% set given = model['config'].get('column_types', {}) %}
  {% set types = [] %}
  {% for name in agate_table.column_names %}
    {% do types.append(given.get(name, adapter.convert_type(agate_table, loop.index0))) %}
  {% endfor %}
  {% if seeding is none or not seeding.stages(agate_table, types) %}
    {{ return(dvt_stock_load_csv_rows(model, agate_table)) }}
  {% endif %}
  {% set private = this.incorporate(path={'identifier': seeding.private_name}) %}
  {% set there = adapter.get_columns_in_relation(this) %}
  {% set staged = adapter.get_columns_in_relation(private) %}
  {% if there | map(attribute='data_type') | list != staged | map(attribute='data_type') | list
        or there | map(attribute='name') | map('lower') | list != agate_table.column_names | map('lower') | list %}
    {{ return(dvt_stock_load_csv_rows(model, agate_table)) }}
  {% endif %}
  {% set sql %}
    insert into {{ this.render() }} ({{ get_seed_column_quoted_csv(model, agate_table.column_names) }})
    {{ seeding.select(private, agate_table.column_names | list) }}
  {% endset %}
  {% do adapter.add_query(sql) %}
  {{ return(sql) }}
{% endmacro %}
