"""N rounds: each a run of rasft_flow.py from the last checkpoint, under the first model's eye.

python flows/rounds_flow.py --config cfg configs/math_rounds.yaml run
python flows/rounds_flow.py resume                         from the round that failed

Every round is a run of its own, with its artifacts, tables and card. It carries the tags
`chain:<run of this flow>` and `round:<number>`, and its artifact `previous` names the run before.
A round that failed is resumed where it stopped, one that had finished is taken as it is. What the
rounds should run with, besides the config, goes through Metaflow's environment variables
(METAFLOW_DECOSPECS=kubernetes, METAFLOW_DEFAULT_DATASTORE=s3).
"""

import bootstrap  # noqa: F401 isort: skip
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from metaflow import Flow, current, namespace, step
from metaflow.exception import MetaflowNotFound

from flows.base import BaseFlow, EveryStep, config_of
from rasft.errors import MachineError

ROUND = "RasftFlow"
SCRIPT = Path(__file__).with_name("rasft_flow.py")


@EveryStep
class RoundsFlow(BaseFlow):
    """round -> round -> ... -> end."""

    cfg = config_of("demo")

    @step
    def start(self):
        """A resumed chain keeps the name that its rounds carry."""
        self.chain = current.run_id
        self.rounds = []  # pathspecs, in their order
        self.next(self.round)

    @step
    def round(self):
        """One run, or the rest of it."""
        number = len(self.rounds)
        tags = [f"chain:{self.chain}", f"round:{number}"]
        previous = self.rounds[-1] if self.rounds else ""
        self.rounds = [*self.rounds, run_round(self.cfg.to_dict(), tags, previous)]
        self.more = "again" if len(self.rounds) < self.config.rounds else "done"
        self.next({"again": self.round, "done": self.end}, condition="more")

    @step
    def end(self):
        """Say which run is the last round."""
        print(f"{len(self.rounds)} rounds; the last is {self.rounds[-1]}")


def run_round(config, tags, previous):
    """The pathspec of a finished run with these tags. Raises MachineError if it failed."""
    old = latest(tags)
    if old is not None and old.successful:
        return old.pathspec
    given = ["--config-value", "cfg", json.dumps(config)]
    words = [*given, "run", "--previous", previous]
    if old is not None:  # a resumed run has its config
        words = ["resume", "--origin-run-id", old.id]
    with tempfile.TemporaryDirectory() as folder:
        id_file = Path(folder) / "run"
        command = [sys.executable, str(SCRIPT), *words]
        for tag in tags:
            command += ["--tag", tag]
        code = subprocess.run([*command, "--run-id-file", str(id_file)]).returncode
        name = f"{ROUND}/{id_file.read_text()}" if id_file.is_file() else "the run"
    if code:
        raise MachineError(f"{tags[-1]}: {name} failed, see above; mend the cause and resume")
    return name


def latest(tags):
    """The newest run with these tags, or None."""
    namespace(None)
    try:
        return next(iter(Flow(ROUND).runs(*tags)), None)
    except MetaflowNotFound:
        return None


if __name__ == "__main__":
    RoundsFlow()
