"""The page of a run in a real browser: what it shows, what it must never run, how it looks."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import tiny_model
from page_browser import Browser
from page_runs import CONFIG, synthetic

from rasft.data.source import Source
from rasft.datasets import generated_math
from rasft.models.renderer import open_renderer
from rasft.page import html, making
from rasft.page.tokens import open_pieces
from rasft.records import Status

WEB = Path(__file__).parents[2] / "web"
BUNDLE = WEB.parent / "rasft" / "page" / "bundle"
EVIL = (
    "</script><script>window.hit = 1</script><img src=x onerror='window.hit = 2'>"
    "[x](javascript:window.hit=3) $\\href{javascript:window.hit=4}{x}$ "
    "$\\htmlStyle{background:url(http://127.0.0.1:9/x)}{x}$ "
    "$\\includegraphics{http://127.0.0.1:9/y}$ <svg onload='window.hit = 5'></svg>\n"
    "```python\n'<b onmouseover=\"window.hit = 6\">'\n```\n"
)
ATTACKED = "evil/<b>1</b>"


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs over the same problems, one of them with texts that attack the page."""
    folder = tmp_path_factory.mktemp("page")
    model = tiny_model.build(folder / "model")
    renderer = open_renderer(model, CONFIG.prompts, CONFIG.chat)
    problems = list(generated_math.load(Source(limit=60)))
    evil = replace(
        problems[0], id=ATTACKED, prompt=EVIL, expert_response=EVIL, answer=EVIL, source=EVIL
    )
    runs = [
        synthetic(f"RasftFlow/{seed + 1}", [*problems, evil], renderer, 3, seed)
        for seed in range(2)
    ]
    rollouts = [replace(row, text=EVIL) for row in runs[0].rollouts[ATTACKED]]
    verdicts = {
        (ATTACKED, row.sample_index): replace(
            runs[0].verdicts[ATTACKED, row.sample_index],
            status=Status.CRASHED, answer=EVIL, detail=EVIL, stdout=EVIL, stderr=EVIL,
        )
        for row in rollouts
    }  # fmt: skip
    runs[0] = replace(
        runs[0],
        rollouts={**runs[0].rollouts, ATTACKED: rollouts},
        verdicts={**runs[0].verdicts, **verdicts},
        notes=[EVIL],
    )
    made = making.page_of(runs, open_pieces(model))
    return html.write(made, folder / "page.html")


@pytest.fixture(scope="module")
def opened() -> Iterator[Browser]:
    with Browser() as browser:
        yield browser


@pytest.fixture
def browser(opened: Browser, page: Path) -> Iterator[Browser]:
    """On the overview of a fresh page; the console must have been silent at the end."""
    opened.errors.clear()
    opened.look(1280)
    opened.open(Path("/dev/null"))
    opened.open(page)
    opened.wait("h2", "Overview")
    yield opened
    opened.run("1")  # what it said last is read with the answer
    assert opened.errors == []


def column(browser: Browser, number: int) -> list[str]:
    return browser.texts(f".tabulator-row .tabulator-cell:nth-child({number})")


def test_a_bar_leads_to_the_problems_behind_it(browser: Browser) -> None:
    (shown,) = [text for text in browser.texts("button.bar") if text.startswith("never")]
    number = int(re.sub(r"\D", "", shown))
    browser.click("button.bar", "never")
    browser.wait(".count", f"{number} of 62 problems")
    browser.wait(".tabulator-row")
    assert set(column(browser, 3)) == {"0"}


def test_the_table_sorts_searches_and_filters(browser: Browser) -> None:
    browser.click(".tab", "Problems")
    browser.wait(".tabulator-row")
    browser.click(".tabulator-col-title", "Expert loss")
    browser.wait_for(
        "document.querySelector('.tabulator-col[tabulator-field=loss]').ariaSort == 'descending'"
    )
    losses = [float(text) for text in column(browser, 7) if text != "–"]
    assert losses == sorted(losses, reverse=True)
    browser.choose("With verdict", "crashed")
    browser.wait(".count", "1 of 62 problems")
    browser.choose("With verdict", "")
    browser.run(
        "(() => { const i = document.querySelector('input[type=search]'); i.value = 'EVIL/';"
        "i.dispatchEvent(new Event('input')); })()"
    )
    browser.wait(".count", "1 of 62 problems")
    browser.wait_for("document.querySelectorAll('.tabulator-row').length == 1")
    assert column(browser, 1) == [ATTACKED]
    assert browser.run("location.hash").endswith("q=EVIL%2F")  # the address says what is shown


def test_a_problem_opens_by_mouse_and_by_keyboard(browser: Browser) -> None:
    browser.click(".tab", "Problems")
    browser.click(".tabulator-row", "math")
    browser.wait(".response")
    first = browser.texts("article h2")
    assert len(browser.texts(".response")) == 4  # the expert and three rollouts
    assert "Weights, step by step" in "".join(browser.texts("summary"))
    browser.click("button", "back")
    browser.wait(".tabulator-row")
    browser.run("document.querySelectorAll('a.open')[1].focus()")
    browser.press("Enter")
    browser.wait(".response")
    assert browser.texts("article h2") != first


def test_tokens_are_shaded_by_what_a_method_trains_on(browser: Browser, page: Path) -> None:
    browser.click(".tab", "Problems")
    browser.choose("Solved", "sometimes")
    browser.click(".tabulator-row")
    browser.wait(".response")
    weight = float(re.search(r"weight ([\d.e-]+)", browser.texts(".response .facts")[0])[1])
    shades = {}
    for method in ("rasft", "sft", "dft", ":logp", ":trained", ":change"):
        browser.choose("Tokens:", method)
        browser.wait_for(f"location.hash.includes({method.strip(':')!r})")
        browser.wait(".tok")
        shades[method] = browser.run(
            "[...document.querySelectorAll('.response .tok')].map((e) => e.className)"
        )
    assert len({tuple(each) for each in shades.values()}) == 6
    assert set(shades["sft"]) >= {"tok weight s10", "tok weight s0"}  # the expert alone
    browser.choose("Tokens:", "rasft")
    browser.wait(".readout", "Sequence weight under rasft")
    browser.run("document.querySelector('.tokens').focus()")
    browser.press("ArrowRight")
    browser.wait(".readout", "token 1 of")
    said = browser.texts(".readout")[0]
    probability, w, factor, product = (
        float(re.search(pattern, said)[1])
        for pattern in (r"probability ([\d.e-]+);", r"weight ([\d.e-]+) ×", r"factor ([\d.e-]+)",
                        r"= ([\d.e-]+)")
    )  # fmt: skip
    assert w == pytest.approx(weight, rel=1e-2)
    assert factor == pytest.approx(probability, rel=1e-2)  # DFT's, at ratio 1
    assert product == pytest.approx(w * factor, rel=1e-2)


def test_tokens_show_what_the_training_changed(browser: Browser) -> None:
    browser.click(".tab", "Problems")
    browser.click(".tabulator-row")
    browser.wait(".response")
    browser.choose("Tokens:", ":change")
    browser.wait(".readout", "Training changed it by")
    kinds = browser.run(
        "[...new Set([...document.querySelectorAll('.response .tok')].map((e) => e.classList[1]))]"
    )
    assert set(kinds) == {"surprise", "weight"}  # some became less probable and some more
    assert "−2 nats or less" in browser.texts(".legend")[0]
    browser.run("document.querySelector('.tokens').focus()")
    browser.press("ArrowRight")
    browser.wait(".readout", "after training")
    before, after, change = (
        float(each.replace("−", "-"))
        for each in re.findall(
            r"(?:log-probability|change) ([−+][\d.]+)", browser.texts(".readout")[0]
        )
    )
    assert change == pytest.approx(after - before, abs=0.006)


def test_a_response_that_was_not_scored_after_training_says_so(browser: Browser) -> None:
    browser.visit(f"#problem?id={ATTACKED}&mode=:change")
    browser.wait(".readout", "not scored after training")
    classes = browser.run(
        "[...new Set([...document.querySelectorAll('.response .tok')].map((e) => e.className))]"
    )
    assert classes == ["tok unscored"]


def test_benchmarks_show_each_checkpoint_and_filter_by_change(browser: Browser) -> None:
    browser.click(".tab", "Evaluation")
    browser.wait(".tabulator-row")
    browser.choose("Change", "fixed")
    browser.wait_for("document.querySelector('.count').textContent.startsWith('40') == false")
    browser.wait(".tabulator-row", "fixed")
    assert {row[-5:] for row in browser.texts(".tabulator-row")} == {"fixed"}
    browser.click(".tabulator-row")
    browser.wait(".response")
    assert [text.split(" ")[0] for text in browser.texts(".response h4")] == [
        "base", "warmed", "trained",
    ]  # fmt: skip


def test_a_row_is_a_link_of_its_own(browser: Browser) -> None:
    browser.click(".tab", "Problems")
    browser.wait(".tabulator-row a")
    address, name = browser.run(
        "(() => { const a = document.querySelector('.tabulator-row a');"
        "return [a.getAttribute('href'), a.textContent]; })()"
    )
    browser.visit(address)
    browser.wait(".response")
    assert browser.texts("h2") == [name]


def test_a_step_of_the_training_leads_to_its_rows(browser: Browser) -> None:
    browser.click(".tab", "Training")
    browser.wait("canvas")
    middle = "(() => { const b = document.querySelector('.u-over').getBoundingClientRect();"
    x, y = browser.run(middle + "return [b.x + 2, b.y + b.height / 2]; })()")
    for kind in ("mouseMoved", "mousePressed", "mouseReleased"):
        browser.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)
    browser.wait("#step h3", "Step 1")
    (first, *_) = browser.texts(".sequences a")
    browser.click(".sequences a")
    browser.wait(".response")
    assert browser.texts("h2") == [first]


def test_two_runs_stand_side_by_side(browser: Browser) -> None:
    browser.click(".tab", "Two runs")
    browser.wait(".tabulator-row")
    browser.click(".tabulator-row")
    browser.wait(".side", "RasftFlow/2")
    assert len(browser.texts(".side article")) == 2


def test_nothing_that_a_model_wrote_runs(browser: Browser, page: Path) -> None:
    """The browser would also tell of a request, or of what the policy had to stop."""
    for address in ("#overview?", "#problems?", "#training?step=2", "#evaluation?"):
        browser.visit(address)
        browser.wait("h2")
    for mode in ("plain", "rasft"):
        browser.visit(f"#problem?id={ATTACKED}&mode={mode}")
        browser.wait(".response", "window.hit = 1")
        browser.run("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
        assert EVIL[:60] in browser.texts(".response")[0]
        assert browser.run("window.hit ?? null") is None
        assert browser.run("document.querySelectorAll('#view img, #view script').length") == 0
        assert browser.run("document.querySelectorAll('#view a[href^=javascript]').length") == 0


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("dark", [False, True])
def test_it_fits_every_window(browser: Browser, tmp_path: Path, width: int, dark: bool) -> None:
    browser.look(width, dark)
    for name, address, sign in (
        ("overview", "#overview?", "button.bar"),
        ("problems", "#problems?", ".tabulator-row"),
        ("problem", f"#problem?id={ATTACKED}", ".response"),
        ("training", "#training?", "canvas"),
    ):
        browser.visit(address)
        browser.wait(sign)
        assert browser.run("document.scrollingElement.scrollWidth") <= width, name
        assert browser.picture(tmp_path / f"{name}.png").stat().st_size > 5_000
    ground = browser.run("getComputedStyle(document.body).backgroundColor")
    assert (sum(map(int, re.findall(r"\d+", ground)[:3])) < 200) == dark


@pytest.mark.skipif(not shutil.which("npm"), reason="needs npm")
def test_the_bundle_is_what_its_sources_give(tmp_path: Path) -> None:
    source = tmp_path / "web"
    shutil.copytree(WEB, source, ignore=shutil.ignore_patterns("node_modules"))
    for command in (["npm", "ci"], ["node", "build.mjs", str(tmp_path / "bundle")]):
        done = subprocess.run(command, cwd=source, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr[-2000:]
    for path in BUNDLE.iterdir():
        assert (tmp_path / "bundle" / path.name).read_bytes() == path.read_bytes(), path.name
