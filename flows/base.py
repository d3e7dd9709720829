"""What every flow shares: its config, its checkpoints as folders, its scratch space."""

import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from metaflow import Config, FlowMutator, FlowSpec, current, step, user_step_decorator
from metaflow.exception import MetaflowException

import flows
import rasft
import sandbox
from flows.cards import show
from flows.model_store import saved_model
from flows.placement import files_of_a_pod, place
from flows.recovery import survive
from rasft.config import files as config_files
from rasft.config.settings import Config as RunConfig
from rasft.errors import UserError
from rasft.machine import full_disk
from rasft.models import sources
from rasft.report import reporting
from rasft.results import live_notes

PACKAGES = (flows, rasft, sandbox)  # imported here so that Metaflow ships them


class ConfigError(MetaflowException):
    """A mistake in the config: two lines for the user instead of a traceback."""

    headline = "The configuration cannot be used"


def parse_config(text: str) -> dict:
    """The validated config as plain values, which is what Metaflow can store."""
    try:
        return config_files.parse(text, _config_path()).model_dump(mode="json")
    except UserError as error:
        raise ConfigError(str(error)) from None


def _config_path() -> str:
    """The file that --config cfg names: Metaflow hands a parser the file's text alone."""
    words = sys.argv
    named = [words[i + 2] for i in range(len(words) - 2) if words[i : i + 2] == ["--config", "cfg"]]
    return named[-1] if named else "config"


class StepError(MetaflowException):
    """A failure that someone can mend, said in its own words; a bug keeps its traceback."""

    headline = "The step cannot go on"


@user_step_decorator
def plain_errors(step_name, flow, inputs, attributes):
    """Turn the project's errors into messages without a traceback; leave notes on the progress."""
    try:
        with live_notes.of_task(current.pathspec):
            yield
    except Exception as error:
        if (message := full_disk.message_of(error)) is None:
            raise
        raise StepError(message) from None


def config_of_run(mutable_flow) -> RunConfig:
    """The typed config for a mutator; in `resume` it is that of the run to go on with.

    There `mutable_flow.cfg` would be the flow's default.
    """
    return config_files.build(dict(mutable_flow.configs)["cfg"].to_dict())


class EveryStep(FlowMutator):
    """What holds for every step of a flow; applied on each flow class."""

    def mutate(self, mutable_flow):
        """Add the decorators."""
        config = config_of_run(mutable_flow)
        for name, each in mutable_flow.steps:
            each.add_decorator(plain_errors)
            survive(name, each, config)
            place(each, config.resources.of(name))

    def add_to_package(self):
        """What a pod needs beside Python files."""
        yield from files_of_a_pod()


def config_of(default: str) -> Config:
    """The config of a flow: --config cfg FILE, or the named file of configs/."""
    return Config(
        "cfg",
        default=str(config_files.CONFIGS / f"{default}.yaml"),
        parser=parse_config,
        help="YAML of the run; see configs/",
    )


class BaseFlow(FlowSpec):
    """A flow over one config, whose models are folders."""

    cfg = config_of("demo")

    @property
    def config(self) -> RunConfig:
        """The typed config."""
        return config_files.build(self.cfg.to_dict())

    def base_model(self) -> Path:
        """The folder of the model that the config names."""
        return sources.resolve(self.config.model)

    def policy(self) -> Path:
        """The folder of the starting policy: the warmed-up model, else the base."""
        return saved_model(self.warmed_up) or self.base_model()

    def checkpoints(self) -> dict[str, Path]:
        """Every checkpoint to evaluate, in the order of their training."""
        found = {
            "base": self.base_model(),
            "warmed_up": saved_model(self.warmed_up),
            "trained": saved_model(self.trained),
        }
        return {name: folder for name, folder in found.items() if folder}

    def publish(self, sections) -> None:
        """The report: a card of the running step, and Markdown on disk."""
        show(sections)
        self.report_path = str(reporting.write(sections, Path("runs") / current.run_id))

    @contextmanager
    def work_folder(self) -> Iterator[Path]:
        """A scratch folder that is gone after the step, also when it fails."""
        with tempfile.TemporaryDirectory(prefix="rasft-") as folder:
            yield Path(folder)


class Tabled(BaseFlow):
    """A flow whose outcome is a table."""

    @step
    def end(self):
        """Print the table."""
        print(self.table)
        print(f"The report is {Path(self.report_path).resolve()}")
