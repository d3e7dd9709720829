"""What the configured method trains on, and which flow makes that."""

from __future__ import annotations

from collections.abc import Collection

import pyarrow as pa
import pyarrow.compute as pc

from rasft import plugins
from rasft.config.settings import REINFORCEMENT, Config, TrainingConfig
from rasft.errors import UserError
from rasft.records import NO_VERIFIER
from rasft.training.launch.command_line import launcher_file

REWARDS = "rewards"
# Kinds that a problem without verdicts gives nothing to.
VERDICTS = {"own": "the policy's verified responses", REWARDS: "the verdicts of every problem"}


FLOWS = {
    "expert": "sft_flow.py",
    "group": "rasft_flow.py",
    "own": "rasft_flow.py",
    "unsolved_expert": "rasft_flow.py",
    REWARDS: "rl_flow.py",
}
# Kinds that train on rollouts which are sampled beforehand.
ROLLED_OUT = tuple(kind for kind, flow in FLOWS.items() if flow == FLOWS["own"])


def check_method(config: Config, trains: Collection[str]) -> None:
    """Raise UserError unless the method trains on what this flow makes: a plugin's EXAMPLES, or
    rewards."""
    method = config.training.method
    if trains_on(method) not in trains:
        known = [*plugins.names("losses"), *REINFORCEMENT]
        fitting = [name for name in known if trains_on(name) in trains]
        raise UserError(
            f"training.method = {method!r} trains on {trains_on(method)!r}, which this flow does "
            f"not make: run flows/{FLOWS[trains_on(method)]}, or set one of: {', '.join(fitting)}"
        )


def check_verifiers(method: str, rows: pa.Table) -> None:
    """Raise UserError for problems without a verifier where the method trains on verdicts alone."""
    unverified = pc.sum(pc.equal(rows["verifier"], NO_VERIFIER)).as_py() or 0
    kind = trains_on(method)
    if unverified and kind in VERDICTS:
        raise UserError(
            f"training.method = {method!r} trains on {VERDICTS[kind]}, and "
            f"{unverified} of {rows.num_rows} training problems have the verifier {NO_VERIFIER!r}; "
            "give them a verifier, leave them out, or take a method that trains on experts"
        )


def check_launch(training: TrainingConfig, several: bool) -> None:
    """Raise UserError unless the training can be launched by a flow for one machine, or several."""
    launcher_file(training)
    if several != (training.nodes > 1):
        raise UserError(
            f"training.nodes is {training.nodes}, and this flow trains on "
            f"{'several machines' if several else 'one'}; flows/rasft_nodes_flow.py and "
            "flows/sft_nodes_flow.py are for several"
        )


def trains_on(method: str) -> str:
    """What a method trains on: the EXAMPLES of its loss plugin, or "rewards"."""
    if method in REINFORCEMENT:
        return REWARDS
    made = str(plugins.load("losses", method).EXAMPLES)
    if made not in FLOWS:
        raise UserError(f"the plugin losses/{method}.py has EXAMPLES = {made!r}; known: "
                        f"{', '.join(name for name in FLOWS if name != REWARDS)}")  # fmt: skip
    return made
