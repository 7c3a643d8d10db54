{# What dbt_utils.star does: ask the adapter for a relation's columns. #}
{% macro star(from, except=[]) %}
    {%- set names = [] -%}
    {%- for column in adapter.get_columns_in_relation(from) if column.name not in except -%}
        {%- do names.append(adapter.quote(column.name)) -%}
    {%- endfor -%}
    {{ names | join(', ') }}
{% endmacro %}

{% macro dialect() %}{{ return(adapter.dispatch('dialect', 'everything')()) }}{% endmacro %}
{% macro default__dialect() %}none{% endmacro %}
{% macro duckdb__dialect() %}duckdb{% endmacro %}
{% macro postgres__dialect() %}postgres{% endmacro %}
{% macro mysql__dialect() %}mysql{% endmacro %}
