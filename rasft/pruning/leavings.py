"""What runs leave in the datastore that no run needs: the plan of a pruning."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from rasft.pruning.keeping import RunFacts
from rasft.pruning.run_store import CARDS, CHECKPOINTS, MODELS, RunStore
from rasft.results.runs import PRUNED


@dataclass(frozen=True)
class Leaving:
    """Files that go together."""

    what: str
    files: Mapping[str, int]  # path -> bytes

    @property
    def bytes(self) -> int:
        """Of all its files."""
        return sum(self.files.values())


@dataclass(frozen=True)
class Plan:
    """What would go. Data are blobs, which runs of a flow share: they go last."""

    known: frozenset[str]  # every run that there was, as Flow/run id
    runs: list[str]  # those that go
    leavings: list[Leaving]
    data: dict[str, Leaving]  # by flow
    held: dict[str, str] = field(default_factory=dict)  # flow -> why its data stay for now


class Stored:
    """The files of the datastore, by what they belong to."""

    def __init__(self, store: RunStore, known: Collection[str], going: Collection[str]):
        self.store, self.known, self.going = store, set(known), set(going)
        self.own: dict[str, dict[str, int]] = defaultdict(dict)  # run -> its folder's files
        self.data: dict[str, dict[str, int]] = {}  # flow -> its blobs
        for flow in store.flows():
            files = store.files(flow)
            self.data[flow] = _below(files, f"{flow}/data/")
            for path, size in files.items():
                if path not in self.data[flow] and path.count("/") > 1:  # not latest_run
                    self.own["/".join(path.split("/")[:2])][path] = size

    def staying(self, flow: str) -> list[str]:
        """The `data.json` files of a flow's staying runs, also of runs that no metadata know."""
        return [
            path
            for run, files in self.own.items()
            if run.startswith(f"{flow}/") and run not in self.going
            for path in files
            if path.endswith(".data.json")
        ]

    def owners(self) -> set[str]:
        """The runs that stay."""
        return (set(self.own) | self.known) - self.going


def plan(
    store: RunStore,
    runs: Collection[RunFacts],
    kept: Collection[str],
    held: Mapping[str, str],
    packages: Mapping[str, Collection[str]],
) -> Plan:
    """What goes with the runs that are not kept, and what earlier ones left.

    `packages` are the code packages, by flow, of the runs that stay; `held` says of which flows
    nothing that runs share may go now, and why.
    """
    going = [run.name for run in runs if run.name not in kept]
    known = {run.name for run in runs}
    stored = Stored(store, known, going)
    held = dict(held)
    for run in stored.own:
        if run not in known:
            held.setdefault(run.partition("/")[0], f"the metadata here do not know the run {run}")
    leavings = [
        Leaving(f"run {run.name}", stored.own.get(run.name, {}))
        for run in runs
        if run.name in stored.going and (run.name in stored.own or PRUNED not in run.tags)
    ]  # a metadata service goes on listing what is long removed
    leavings += [*_models(stored), *_cards(stored), *_checkpoints(stored)]
    data = {
        flow: Leaving(f"data of {flow}", _unused(stored, flow, packages.get(flow, ())))
        for flow in stored.data
        if flow not in held
    }
    return Plan(
        frozenset(known),
        going,
        leavings,
        {flow: each for flow, each in data.items() if each.files},
        {flow: why for flow, why in held.items() if flow in stored.data},
    )


def _unused(stored: Stored, flow: str, packages: Collection[str]) -> dict[str, int]:
    """The blobs to which no artifact and no code package of a staying run refers."""
    used = set(packages)
    for objects, _ in stored.store.addresses(stored.staying(flow)):
        used.update(objects.values())
    return {
        path: size
        for path, size in stored.data[flow].items()
        if PurePosixPath(path).name.removesuffix("_meta") not in used
    }


def _models(stored: Stored) -> Iterator[Leaving]:
    """Models whose run goes or is gone, and that no artifact of a staying run refers to."""
    files = stored.store.files(MODELS)
    used = set[str]().union(
        *(stored.store.models_of(flow, stored.staying(flow)) for flow in stored.data)
    )
    staying = stored.owners()
    for path in _below(files, f"{MODELS}/metadata/"):
        flow, run, *_, name = path.removeprefix(f"{MODELS}/metadata/").split("/")
        model = name.partition(".")[2].removesuffix(".metadata")
        if f"{flow}/{run}" in staying or model in used:
            continue
        mine = _below(files, f"{MODELS}/artifacts/{model}/")
        about = f"{MODELS}/artifact_metadata/{model}.metadata"
        mine |= {each: files[each] for each in (path, about) if each in files}
        yield Leaving(f"model {model} of {flow}/{run}", mine)


def _cards(stored: Stored) -> Iterator[Leaving]:
    files: dict[str, dict[str, int]] = defaultdict(dict)
    for path, size in stored.store.files(CARDS).items():
        flow, place, *rest = path.removeprefix(f"{CARDS}/").split("/")
        if place == "runs":
            files[f"{flow}/{rest[0]}"][path] = size
    for run, own in files.items():
        if run not in stored.owners():
            yield Leaving(f"cards of {run}", own)


def _checkpoints(stored: Stored) -> Iterator[Leaving]:
    """Training states of runs that go, which their trained model would have removed."""
    files = stored.store.files(CHECKPOINTS)
    for path in _below(files, f"{CHECKPOINTS}/metadata/"):
        flow, run, *_ = path.removeprefix(f"{CHECKPOINTS}/metadata/").split("/")
        if f"{flow}/{run}" in stored.owners():
            continue
        key = str(stored.store.read_json(path).get("key", path))
        about = key.replace(f"{CHECKPOINTS}/artifacts/", f"{CHECKPOINTS}/artifact_metadata/")
        own = (path, key, about)
        inside = tuple(f"{each}{end}" for each in own for end in "/.")
        mine = {each: files[each] for each in files if each in own or each.startswith(inside)}
        yield Leaving(f"checkpoint of {flow}/{run}", mine)


def _below(files: Mapping[str, int], prefix: str) -> dict[str, int]:
    return {path: size for path, size in files.items() if path.startswith(prefix)}
