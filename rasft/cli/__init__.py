"""The `rasft` command: what each subcommand takes and says of itself; `rasft.commands` does it."""

from __future__ import annotations

import click

from rasft.cli import configs, judging, runs
from rasft.commands.ledger import ledger
from rasft.commands.watch import watch
from rasft.machine import full_disk


class Commands(click.Group):
    """Prints the project's own errors as one line; anything else is a bug and keeps its trace."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except Exception as error:
            if (message := full_disk.message_of(error)) is None:
                raise
            raise click.ClickException(message) from None


@click.group(cls=Commands, context_settings={"max_content_width": 100})
@click.version_option(package_name="rasft")
def main() -> None:
    """Rollout-adaptive supervised fine-tuning.

    CONFIG is a YAML file, or the name of one in configs/ (math, code, variants/dft); without it a
    command takes the demo's. RUN is a Metaflow run: RasftFlow/12.
    """


for command in (
    *(configs.doctor, configs.resolve, configs.data, configs.plan, configs.preflight),
    *(configs.champion, configs.power, judging.verify, judging.evaluate, ledger, watch),
    *(runs.show, runs.tables, runs.reproduce, runs.export, runs.prune),
):
    main.add_command(command)
