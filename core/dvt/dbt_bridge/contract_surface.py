"""What the bridge relies on in dbt-core, dbt-adapters and dbt-common: the table that the start-up check goes through.

For each module its names, and for what is called or overridden the parameters: those by position, then `*`, then those
by keyword; "..." stands for more parameters that are passed on unseen. A name without parameters only has to exist.
"""

from __future__ import annotations

SURFACE: dict[str, dict[str, str]] = {
    "dbt.task.runnable": {
        "GraphRunnableTask.get_runner_type": "self node",
        "GraphRunnableTask.run": "self",
        "GraphRunnableTask.before_run": "self adapter selected_uids",
        "GraphRunnableTask.get_model_schemas": "self adapter selected_uids",
        "GraphRunnableTask.create_schemas": "self adapter required_schemas",
        "GraphRunnableTask.populate_adapter_cache": "self adapter required_schemas",
        "GraphRunnableTask.run_queue": "self pool",
        "GraphRunnableTask._cancel_connections": "self pool",
    },
    "dbt.task.base": {
        "BaseRunner.__init__": "self config adapter node node_index num_nodes",
        "BaseRunner.run_with_hooks": "self manifest",
        "BaseRunner.compile": "self manifest",
    },
    "dbt.task.compile": {"CompileRunner.compile": "self manifest"},
    "dbt.task.run": {
        "RunTask.before_run": "self adapter selected_uids",
        "RunTask._submit_batch": "",
        "ModelRunner.describe_node": "self",
        "ModelRunner.execute": "self model manifest",
        "MicrobatchModelRunner": "",
        "MicrobatchBatchRunner.__init__": "self config adapter node ...",
        "MicrobatchBatchRunner.describe_node": "self",
        "MicrobatchBatchRunner.execute": "self model manifest",
    },
    "dbt.task.build": {"BuildTask.get_runner_type": "self node"},
    "dbt.task.seed": {"SeedTask": "", "SeedRunner.execute": "self model manifest"},
    "dbt.task.clone": {"CloneTask": "", "CloneRunner": ""},
    "dbt.task.docs.generate": {"GenerateTask.run": "self"},
    "dbt.task.snapshot": {"SnapshotRunner.execute": "self model manifest"},
    "dbt.task.test": {
        "TestRunner.execute_data_test": "self data_test manifest",
        "TestResultData": "* failures should_warn should_error adapter_response",
    },
    "dbt.task.show": {"ShowRunner.execute": "self compiled_node manifest"},
    "dbt.cli.requires": {"fire_event": "e level", "load_profile": "project_root cli_vars"},
    "dbt.task.freshness": {"FreshnessRunner.execute": "self compiled_node manifest"},
    "dbt.task.retry": {"TASK_DICT": ""},
    "dbt.artifacts.schemas.run": {
        "RunResult": "* status timing thread_id execution_time adapter_response message failures node agate_table"
        " batch_results"
    },
    "dbt.artifacts.schemas.freshness": {
        "SourceFreshnessResult": "* node status thread_id timing execution_time message adapter_response failures"
        " max_loaded_at snapshotted_at age"
    },
    "dbt.compilation": {
        "Compiler.__init__": "self config",
        "Compiler.compile_node": "self node manifest",
        "Compiler._create_node_context": "self node manifest extra_context",
    },
    "dbt.selected_resources": {"SELECTED_RESOURCES": ""},
    "dbt.clients.jinja": {"add_rendered_test_kwargs": "context node"},
    "dbt.context.base": {"contextproperty": ""},
    "dbt.context.query_header": {"generate_query_header_context": "config manifest"},
    "dbt.context.providers": {
        "ModelContext.__init__": "self model config manifest provider context_config",
        "RuntimeProvider": "",
        "RuntimeRefResolver.create_relation": "self target_model",
        "RuntimeRefResolver.resolve_event_time_filter": "self target",
        "RuntimeRefResolver.resolve_limit": "",
        "RuntimeSourceResolver.resolve": "self source_name table_name",
        "RuntimeDatabaseWrapper.__getattr__": "self name",
        "generate_runtime_macro_context": "macro config manifest package_name",
        "generate_runtime_model_context": "model config manifest",
    },
    "dbt.config.profile": {
        "Profile.render_profile": "raw_profile profile_name target_override renderer",
        "Profile._credentials_from_profile": "profile profile_name target_name",
        "read_profile": "profiles_dir",
    },
    "dbt.config.renderer": {"ProfileRenderer": "cli_vars"},
    "dbt.config.runtime": {"RuntimeConfig.load_projects": "self paths", "RuntimeConfig.to_target_dict": "self"},
    "dbt.contracts.graph.manifest": {
        "Manifest.resolve_source": "self target_source_name target_table_name current_project node_package",
        "Manifest.find_materialization_macro_by_name": "self project_name materialization_name adapter_type",
    },
    "dbt.parser.manifest": {"ManifestLoader.get_full_manifest": "config"},
    "dbt.parser.base": {
        "RelationUpdate": "config manifest component",
        "RelationUpdate.__call__": "self parsed_node override",
    },
    "dbt.parser.macros": {"MacroParser": "project manifest"},
    "dbt.parser.read_files": {
        "load_source_file": "path parse_file_type project_name saved_files",
        "load_seed_source_file": "match project_name",
        "get_file_types_for_project": "project",
    },
    "dbt.contracts.files": {"FilePath.seed_too_large": "self", "ParseFileType": ""},
    "dbt.parser.search": {"FileBlock": "file"},
    "dbt.cli.exceptions": {"ExceptionExit": "", "ResultExit": ""},
    "dbt.cli.main": {"cli": "", "global_flags": "", "dbtRunner.invoke": "self args"},
    "dbt.adapters.factory": {
        "FACTORY.plugins": "",
        "FACTORY.adapters": "",
        "FACTORY.lock": "",
        "FACTORY.get_plugin_by_name": "name",
        "FACTORY.get_adapter_package_names": "name",
        "FACTORY.packages": "",
        "load_plugin": "name",
    },
    "dbt.adapters.base.impl": {
        "BaseAdapter.execute_macro": "self macro_name * macro_resolver context_override kwargs",
        "BaseAdapter.set_relations_cache": "self relation_configs * required_schemas",
        "BaseAdapter.get_filtered_catalog": "self relation_configs used_schemas relations",
    },
    "dbt_common.context": {"_INVOCATION_CONTEXT_VAR": "", "get_invocation_context": ""},
    "dbt_common.clients.agate_helper": {"merge_tables": "tables", "table_from_data_flat": "data column_names"},
}
