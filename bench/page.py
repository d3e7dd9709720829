"""How large is the page of a run, and how soon does it show?

    python -m bench.page --samples 10000

A made-up run of that many rollouts, four a problem, over real MATH solutions (needs
RASFT_DATA_DIR) in the tokens of the embedded model. Prints JSON: the page's size in megabytes, the
seconds to make it, and in headless Chromium the seconds to the first paint, to the overview, to
the table of problems and to one problem, medians of five openings.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from itertools import islice
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from page_browser import Browser  # noqa: E402
from page_runs import CONFIG, synthetic  # noqa: E402

from rasft.data.source import Source  # noqa: E402
from rasft.datasets import math_train  # noqa: E402
from rasft.models import sources  # noqa: E402
from rasft.models.renderer import open_renderer  # noqa: E402
from rasft.page import html, making  # noqa: E402
from rasft.page.tokens import open_pieces  # noqa: E402

SAMPLES = 4  # a problem
TIMES = 5


def main() -> None:
    """Make the page, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=10_000)
    count = parser.parse_args().samples // SAMPLES
    renderer = open_renderer(sources.resolve(CONFIG.model), CONFIG.prompts, CONFIG.chat)
    problems = list(islice(math_train.load(Source(os.environ.get("RASFT_DATA_DIR"))), count))
    run = synthetic("RasftFlow/1", problems, renderer, SAMPLES, seed=0)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "page.html")
        begin = time.monotonic()
        html.write(making.page_of([run], open_pieces(sources.resolve(CONFIG.model))), path)
        made = time.monotonic() - begin
        facts = {
            "samples": SAMPLES * len(problems),
            "tokens": sum(len(score.token_ids) for score in run.scores.values()),
            "megabytes": round(path.stat().st_size / 1e6, 2),
            "seconds to make": round(made, 1),
            **opened(path, problems[7].id),
        }
    print(json.dumps(facts, indent=2))


def opened(path: Path, problem: str) -> dict[str, float]:
    """Seconds in the browser, medians."""
    readings: dict[str, list[float]] = {}
    for _ in range(TIMES):
        with Browser() as browser:
            for name, seconds in _reading(browser, path, problem).items():
                readings.setdefault(name, []).append(seconds)
    return {name: round(statistics.median(values), 2) for name, values in readings.items()}


def _reading(browser: Browser, path: Path, problem: str) -> dict[str, float]:
    begin = time.monotonic()
    browser.open(path)
    browser.wait("h2", "Overview")
    found = {"first paint": browser.first_paint(), "overview": time.monotonic() - begin}
    for name, address, shown in (
        ("table", "#problems?", "Problems"),
        ("problem", f"#problem?id={problem}", problem),
    ):
        begin = time.monotonic()
        browser.visit(address)
        browser.wait("h2", shown)
        found[name] = time.monotonic() - begin
    return found


if __name__ == "__main__":
    main()
