"""`dvt plan`, loaded only when it is run: it needs dbt."""

from __future__ import annotations

import click


@click.command(
    "plan", context_settings={"ignore_unknown_options": True, "allow_extra_args": True}, add_help_option=False
)
@click.pass_context
def command(context: click.Context) -> int:
    """Show each selected node's lane, the SQL for each source and the landing; with --analyze read them, too."""
    from dvt.dbt_bridge.contract import check_dbt

    check_dbt()  # before anything of dbt's is imported

    from dvt.dbt_bridge.commands import dbt_group, exit_code_of
    from dvt.dbt_bridge.plan_command import plan_command
    from dvt.dbt_bridge.substitution import substituted

    with substituted():
        group = dbt_group()
        group.add_command(plan_command)
        # dbt's progress lines would stand before the plan, and before its JSON.
        return exit_code_of(group, ["plan", "--quiet", *context.args], "dvt")
