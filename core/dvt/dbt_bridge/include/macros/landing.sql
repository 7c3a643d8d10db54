{#
  Puts a staged private relation in place. The statements come from the loader; hooks, contracts, indexes, grants and docs
  are dbt's own, and all of it is one transaction where the engine has transactional DDL.
#}
{% materialization dvt_land, default, supported_languages=['sql', 'python'] %}
  {%- set landing = config.get('dvt_landing') -%}
  {%- set target_relation = this.incorporate(type=landing.relation_type) -%}
  {%- set existing_relation = load_cached_relation(this) -%}
  {%- set grant_config = config.get('grants') -%}

  {{ run_hooks(pre_hooks, inside_transaction=False) }}
  {{ run_hooks(pre_hooks, inside_transaction=True) }}

  {% for part in landing.statements %}
    {% call statement('main') -%}
      {{ part }}
    {%- endcall %}
  {% endfor %}

  {% if landing.is_new_table %}
    {% do create_indexes(target_relation) %}
  {% endif %}

  {{ run_hooks(post_hooks, inside_transaction=True) }}

  {% if grant_config %}
    {% do apply_grants(target_relation, grant_config, should_revoke=should_revoke(existing_relation, full_refresh_mode=True)) %}
  {% endif %}
  {% do persist_docs(target_relation, model) %}

  {{ adapter.commit() }}

  {{ run_hooks(post_hooks, inside_transaction=False) }}

  {{ return({'relations': [target_relation]}) }}
{% endmaterialization %}
