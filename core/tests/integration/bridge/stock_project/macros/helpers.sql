{% macro cents(column) %}({{ column }} * 100)::integer{% endmacro %}

{% macro log_hook(what) %}insert into {{ target.schema }}.hook_log values ('{{ what }}'){% endmacro %}

{% macro shout(word) %}{% do log(word | upper, info=true) %}{{ return(word) }}{% endmacro %}
