"""Models x benchmarks, with nothing trained: the same 0/1 matrices, intervals, tables and report.

python flows/eval_flow.py run                                   two embedded models, two cores
python flows/eval_flow.py --config cfg FILE run                 the models of a config
rasft tables EvalFlow/RUN RasftFlow/RUN                         beside a trained one
"""

import bootstrap  # noqa: F401 isort: skip
from metaflow import card, catch, current, step

from flows.base import EveryStep, Tabled, config_of
from rasft import tables
from rasft.config import judged
from rasft.report import judged_report
from rasft.stages import judge


@EveryStep
class EvalFlow(Tabled):
    """start -> evaluate a model and benchmark -> report; a cell that fails leaves the others."""

    cfg = config_of("eval")

    @step
    def start(self):
        """Every model, prompt and benchmark is checked before any model is loaded."""
        rows = judged.rows(self.config)
        found = judge.prepare_judging(self.config, rows)
        self.benchmark_problems, self.notes = found.benchmarks, found.notes
        self.provenance = found.provenance
        self.places = [(row, benchmark) for row in rows for benchmark in found.benchmarks]
        self.next(self.evaluate, foreach="places")

    @catch(var="evaluate_failure", print_exception=True)
    @step
    def evaluate(self):
        """Sample one benchmark under one model and keep the whole 0/1 matrix."""
        row, benchmark = self.input
        config = judged.row(self.config, row)
        with self.work_folder() as folder:
            model, self.training_data = judge.open_model(config.model, folder)
            self.results, self.manifest, self.evaluate_work = judge.judge(
                config, row, benchmark, self.benchmark_problems[benchmark], model
            )
        self.next(self.report)

    @card(type="blank")
    @step
    def report(self, inputs):
        """The table with its intervals, and the cells that failed."""
        self.merge_artifacts(inputs, include=["notes", "provenance"])
        joined = judged_report.join([self.outcome(branch) for branch in inputs])
        for name, value in joined.items():
            setattr(self, name, value)
        whole = [branch for branch in inputs if not branch.evaluate_failure]
        self.evaluate_work = tables.concat(
            [judge.no_work(), *(branch.evaluate_work for branch in whole)]
        )
        run = f"{current.flow_name}/{current.run_id}"
        built = judged_report.build(run, joined, self.provenance)
        self.table = built.text
        self.publish(
            judged_report.sections(
                self.config, built, self.judged, self.notes, self.evaluate_work, self.provenance
            )
        )
        self.next(self.end)

    def outcome(self, branch):
        """What came of one model on one benchmark."""
        row, benchmark = branch.input
        config = judged.row(self.config, row)
        return judged_report.outcome(row, benchmark, config, branch, branch.evaluate_failure)


if __name__ == "__main__":
    EvalFlow()
