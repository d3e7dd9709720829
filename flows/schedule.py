"""The config's schedule as Metaflow's @schedule and @trigger, for `argo-workflows create`."""

from metaflow import FlowMutator, schedule, trigger

from flows.base import config_of_run


class Scheduled(FlowMutator):
    """Runs a deployed flow on the config's cron, or when its event says that data has arrived."""

    def pre_mutate(self, mutable_flow):
        """Add the decorators, which a plain run ignores."""
        wanted = config_of_run(mutable_flow).schedule
        if wanted.cron:
            when = {"cron": wanted.cron, "timezone": wanted.timezone}
            mutable_flow.add_decorator(schedule, deco_kwargs=when)
        if wanted.event:
            mutable_flow.add_decorator(trigger, deco_kwargs={"event": wanted.event})
