"""The config's schedule as Metaflow's @schedule and @trigger, for `argo-workflows create`."""

from metaflow import FlowMutator, schedule, trigger

from rasft import config_files


class Scheduled(FlowMutator):
    """Runs a deployed flow on the config's cron, or when its event says that data has arrived."""

    def pre_mutate(self, mutable_flow):
        """Add the decorators, which a plain run ignores."""
        wanted = config_files.build(mutable_flow.cfg.to_dict()).schedule
        if wanted.cron:
            when = {"cron": wanted.cron, "timezone": wanted.timezone}
            mutable_flow.add_decorator(schedule, deco_kwargs=when)
        if wanted.event:
            mutable_flow.add_decorator(trigger, deco_kwargs={"event": wanted.event})
