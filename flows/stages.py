"""Steps that several flows share. A flow defines the steps between them and names the next one."""

import os
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from metaflow import card, checkpoint, current, step

from flows.base import BaseFlow
from flows.cards import CURVE_SECONDS, TRAINING, LiveCurve, show_page
from flows.checkpointing import MetaflowCheckpoints
from flows.model_store import save_model
from flows.recovery import UNMERGED, whole_and_lost
from rasft import tables
from rasft.page import html, making, stored
from rasft.report import reporting
from rasft.stages import evaluate, preflight, prepare, rescoring, train, training_method, warmup
from rasft.stages.train import work_of
from rasft.training.launch.launcher import LaunchContext
from rasft.training.launch.nodes import ONE_NODE
from rasft.training.storage.jobs import ONLY_ROUND


class Ends(BaseFlow):
    """start -> warmup ... and ... evaluate* -> report -> end: how every training flow runs."""

    SEVERAL_NODES = False  # whether it can train on more than one machine

    @step
    def start(self):
        """Load, validate and decontaminate; a mistake dies here, before any GPU is asked for."""
        self.prepare()
        self.next(self.warmup)

    def prepare(self):
        """What the run starts from, as artifacts."""
        training_method.check_method(self.config, self.TRAINS)
        training_method.check_launch(self.config.training, self.SEVERAL_NODES)
        prepared = prepare.prepare(self.config)
        self.warmup_problems, self.problems = prepared.warmup, prepared.training
        self.dropped, self.notes = prepared.dropped, prepared.notes
        self.benchmark_problems, self.provenance = prepared.benchmarks, prepared.provenance
        self.start_work = prepared.work

    def warm_up(self):
        """A short expert stage, where configured: its model is then policy and reference."""
        with self.launch_context() as context, self.work_folder() as folder:
            trained = warmup.warm_up(
                self.config, self.warmup_problems, self.base_model(), folder, context
            )
            self.warmup_curve, self.warmup_work = trained and trained.curve, work_of(trained)
            self.warmed_up = trained and save_model(trained.folder, "warmed_up")

    @contextmanager
    def launch_context(self):
        """What surrounds a training: its checkpoints outlive the task, its curve is on the card."""
        stored = hasattr(current, "checkpoint")  # the step has @checkpoint
        store = MetaflowCheckpoints(self.config.training.checkpoints_kept) if stored else None
        context = LaunchContext(store, LiveCurve().show, self.node())
        yield context
        if store and context.node.is_first:
            store.forget()

    def node(self):
        """Which machine of its training this is."""
        return ONE_NODE

    def keep(self, trained):
        """Store a finished training; the benchmarks are what comes next."""
        self.checkpoint, self.curve = asdict(trained.checkpoint), trained.curve
        self.consumed = trained.consumed
        self.training_summary, self.train_work = trained.summary, work_of(trained)
        self.trained = save_model(trained.folder, "trained")
        self.benchmarks = list(self.benchmark_problems)

    def join_results(self, inputs):
        """The benchmarks' results, and what they say of the checkpoints."""
        whole, lost = whole_and_lost(inputs, "evaluate", self.config)
        for table in ("results", "responses", "evaluate_work"):
            setattr(self, table, tables.concat(getattr(branch, table) for branch in whole))
        self.manifests = [manifest for branch in whole for manifest in branch.manifests]
        self.merge_artifacts(inputs, exclude=UNMERGED)
        losses = [f"the run lost {benchmark}" for benchmark in lost]
        self.notes = (*self.notes, *losses, *evaluate.engine_notes(self.manifests))
        self.accuracies, self.differences = evaluate.compare_checkpoints(self.config, self.results)

    def show_report(self, *first):
        """The report, after any sections that stand first: as a card and as Markdown on disk."""
        self.publish([*first, *reporting.sections(reporting.of_run(self.config, self))])
        if os.environ.get("RASFT_PAGE") != "off":
            self.show_page()

    def show_page(self):
        """Every sample of the run, as a page on disk and on the card. It ends no run."""
        try:
            tables = stored.read(f"{current.flow_name}/{current.run_id}", self.config, self)
            page = making.page_of([tables], making.pieces_of(self.config, self.policy()))
            html.write(page, making.place(current.run_id))
            show_page(page)
        except Exception as error:  # all that it shows is stored
            print(f"there is no page of this run: {error}", flush=True)

    @step
    def evaluate(self):
        """Sample one benchmark under each checkpoint and keep the whole 0/1 matrix."""
        evaluated = evaluate.evaluate(
            self.config, self.input, self.benchmark_problems[self.input], self.checkpoints()
        )
        self.results, self.responses = evaluated.results, evaluated.responses
        self.manifests, self.evaluate_work = evaluated.manifests, evaluated.work
        self.next(self.report)

    @card(type="blank")
    @step
    def report(self, inputs):
        """Tables and pictures, as a card and as Markdown on disk."""
        self.join_results(inputs)
        self.show_report()
        self.next(self.end)

    @step
    def end(self):
        """Say where the report and the page are."""
        path = Path(self.report_path).resolve()
        # another pod's disk is gone, and its card stays
        here = (
            f"The report is {path}"
            if path.is_file()
            else "The report is the card: card view report"
        )
        print(here)
        page = making.place(current.run_id).resolve()
        if page.is_file():
            print(f"Every sample is on {page}")


class Supervised(Ends):
    """Adds warmup -> score* ... and ... train, on weighted examples."""

    @checkpoint(load_policy="none", show_card=False)
    @card(type="blank", id=TRAINING, refresh_interval=CURVE_SECONDS)
    @step
    def warmup(self):
        """A short expert stage, where configured: its model is then policy and reference."""
        self.warm_up()
        self.score_shards = list(range(self.config.data.score_shards))
        self.next(self.score, foreach="score_shards")

    @property
    def round_config(self):
        """The config of this run's training."""
        return self.config

    @property
    def position(self):
        """Where in a chain of rounds this run's training stands."""
        return ONLY_ROUND

    @checkpoint(load_policy="none", show_card=False)
    @card(type="blank", id=TRAINING, refresh_interval=CURVE_SECONDS)
    @step
    def train(self):
        """Train on the weighted examples; the result is reloaded before the step succeeds."""
        self.train_policy()
        self.next(self.evaluate, foreach="benchmarks")

    def train_policy(self):
        """One training; the first node keeps what came of it."""
        policy = self.policy()
        with self.launch_context() as context, self.work_folder() as folder:
            self.checks = preflight.checked(self.config, self.examples, policy, folder)
            job = self.round_config, self.examples, policy, folder, context, self.position
            if not context.node.is_first:
                train.assist(*job)
                return
            trained = train.train(*job)
            train.write_card(self.config, trained, self.provenance, self.checks)
            self.keep(trained)
            self.trained_scores = self.rescored(trained.folder)

    def rescored(self, model):
        """Responses to some problems under the trained model, for the page. It ends no run."""
        known = [getattr(self, name, None) for name in ("expert_scores", "rollout_scores")]
        try:
            scores = tables.concat([table for table in known if table is not None])
            return rescoring.trained_scores(self.config, self.problems, scores, model)
        except Exception as error:
            print(f"the page does not show what training changed: {error}", flush=True)
            return None
