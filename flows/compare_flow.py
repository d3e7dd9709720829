"""Methods x seeds side by side: the same data, start, rollouts and evaluation for every cell.

python flows/compare_flow.py run                                       tiny model, two cores
python flows/compare_flow.py --config cfg configs/compare_demo.yaml run
rasft tables CompareFlow/RUN                                           the table again, later
"""

import bootstrap  # noqa: F401 isort: skip
import os

from metaflow import card, catch, current, step

from flows.base import EveryStep, Tabled, config_of
from flows.model_store import save_model, saved_model
from rasft.config import comparison
from rasft.errors import UserError
from rasft.report import cell_report
from rasft.stages import cell_training, cells, compare, prepare, shared, warmup

# Cells train side by side: threads that wait spinning, as OpenMP's do by default, would take each
# other's core, and each training several times as long.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")


@EveryStep
class CompareFlow(Tabled):
    """(prepare -> warmup -> sample -> (train -> evaluate) a method -> gather) a seed -> report.

    A step that fails leaves its failure as an artifact: its cells are reported as failed, and the
    others stand.
    """

    cfg = config_of("compare")

    @step
    def start(self):
        """Every cell's config is checked before any work."""
        comparison = compare.of(self.config)
        self.planned = comparison.planned and comparison.planned.model_dump()
        self.seeds, self.methods = list(comparison.seeds), list(comparison.methods)
        self.next(self.prepare, foreach="seeds")

    @step
    def prepare(self):
        """The problems of one seed."""
        self.seed = self.input
        prepared = prepare.prepare(self.seeded())
        compare.check_verifiers(self.config, prepared.training)
        self.warmup_problems, self.problems = prepared.warmup, prepared.training
        self.dropped, self.notes = prepared.dropped, prepared.notes
        self.benchmark_problems, self.provenance = prepared.benchmarks, prepared.provenance
        self.next(self.warmup)

    @catch(var="warmup_failure")
    @step
    def warmup(self):
        """The expert stage, where configured: its model is where the cells of this seed start."""
        with self.work_folder() as folder:
            trained = warmup.warm_up(self.seeded(), self.warmup_problems, self.base_model(), folder)
            self.warmed_up = trained and save_model(trained.folder, "warmed_up")
        self.next(self.sample)

    @catch(var="sample_failure")
    @step
    def sample(self):
        """Scores and rollouts of this seed's start, once for all methods that use them."""
        self.require(self.warmup_failure)
        rollouts = compare.need_rollouts(self.config)
        self.shared = vars(shared.share(self.seeded(), self.problems, self.policy(), rollouts))
        self.next(self.spread)

    @step
    def spread(self):
        """One branch for each group of cells; the first has the models that they start from."""
        self.groups = cells.groups(self.config)
        self.next(self.train, foreach="groups")

    @catch(var="train_failure")
    @step
    def train(self):
        """The trainings of some cells."""
        self.require(self.warmup_failure, self.sample_failure)
        self.trainings = cells.train_group(self.config, self.seed, self.input, self.train_cell)
        self.next(self.evaluate)

    @catch(var="evaluate_failure")
    @step
    def evaluate(self):
        """The models of these cells on every benchmark."""
        self.require(self.train_failure)
        self.evaluations = cells.evaluate_group(
            self.seeded(), self.input, self.benchmark_problems, self.models()
        )
        self.next(self.gather)

    @step
    def gather(self, inputs):
        """The cells of one seed."""
        self.merge_artifacts(inputs, include=["seed", "methods", "provenance", "notes"])
        self.outcomes = [
            cell_report.outcome(self.config, method, self.seed, branch)
            for branch in inputs
            for method in branch.input
        ]
        self.next(self.report)

    @card(type="blank")
    @step
    def report(self, inputs):
        """The table with its intervals, and the cells that failed."""
        joined = cell_report.join([each for branch in inputs for each in branch.outcomes])
        joined["notes"] += dict.fromkeys(note for branch in inputs for note in branch.notes)
        for name, value in joined.items():
            setattr(self, name, value)
        self.provenances = {branch.seed: branch.provenance for branch in inputs}
        run = f"{current.flow_name}/{current.run_id}"
        built = cell_report.build(run, joined, self.provenances)
        self.table = built.text
        self.publish(cell_report.sections(self.config, built, joined, self.provenances))
        self.next(self.end)

    def seeded(self):
        """The config of this branch's seed."""
        return comparison.seeded(self.config, self.seed)

    def train_cell(self, config, folder, context):
        """Train one cell and keep its model."""
        given = shared.Shared(**self.shared)
        done = cell_training.train_cell(config, given, self.policy(), folder, context)
        trained = save_model(done.folder, f"trained_{self.methods.index(config.name)}")
        return {**cells.account(config, given, done), "trained": trained}

    def models(self):
        """The folders of each cell's models; a cell whose training failed has none."""
        start = {"base": self.base_model(), "warmed_up": saved_model(self.warmed_up)}
        trained = {
            method: {"trained": saved_model(done["trained"])}
            for method, done in self.trainings.items()
            if "trained" in done
        }
        return {comparison.START: {name: at for name, at in start.items() if at}} | trained

    @staticmethod
    def require(*failures):
        """Fail as an earlier step did."""
        if said := cell_report.first_failure(failures):
            raise UserError(said)


if __name__ == "__main__":
    CompareFlow()
