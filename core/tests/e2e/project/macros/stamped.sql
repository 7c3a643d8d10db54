{# A project's own materialization: it runs as it is written, over what was staged. #}
{% materialization stamped, default %}
  {%- set target = this.incorporate(type='table') -%}
  {{ run_hooks(pre_hooks) }}
  {% do adapter.drop_relation(target) %}
  {% call statement('main') %}
    create table {{ target }} as select 'stamped' as stamp, s.* from ({{ sql }}) s
  {% endcall %}
  {{ run_hooks(post_hooks) }}
  {% do adapter.commit() %}
  {{ return({'relations': [target]}) }}
{% endmaterialization %}
