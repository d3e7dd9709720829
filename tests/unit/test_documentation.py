"""The documentation says what the code does: commands, configs, examples, generated pages."""

from __future__ import annotations

import ast
import importlib.util
import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click
import pytest
import yaml

from rasft import plugins
from rasft.cli import main
from rasft.config import files as config_files

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
ALL_TEXTS = [*PAGES, *sorted(ROOT.glob("*.md"))]
FENCE = re.compile(
    r"(?:<!-- test: (?P<marker>\w+) -->\n)?```(?P<language>\w*)(?: title=\"(?P<title>[^\"]+)\")?\n"
    r"(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
LINK = re.compile(r"(?<!\!)\[[^\]]*\]\((?P<target>[^)\s]+)\)|!\[[^\]]*\]\((?P<image>[^)\s]+)\)")
# What a guide may call that is not of this project.
OTHERS = {"export", "docker", "kubectl", "aws", "tensorboard", "metaflow", "git", "mkdocs", "pip"}
FLOW_COMMANDS = {"run", "resume", "card", "argo-workflows", "check", "show"}
EXTEND = DOCS / "guides" / "extend.md"


@dataclass(frozen=True)
class Block:
    """One fenced block of a page."""

    page: Path
    language: str
    title: str
    text: str
    marker: str

    def __str__(self) -> str:
        first = self.text.strip().splitlines()[0] if self.text.strip() else ""
        return f"{self.page.relative_to(ROOT)}: {self.title or first}"


def blocks(page: Path) -> list[Block]:
    found = FENCE.finditer(page.read_text(encoding="utf-8"))
    return [
        Block(page, m["language"], m["title"] or "", m["text"], m["marker"] or "") for m in found
    ]


BLOCKS = [block for page in ALL_TEXTS for block in blocks(page)]
SHELL = [block for block in BLOCKS if block.language in ("sh", "console")]
CONFIGS = [b for b in BLOCKS if b.language == "yaml" and b.title and b.page != EXTEND]
COMMANDS = [
    pytest.param(block.page, line, id=f"{block.page.stem}: {line}")
    for block in SHELL
    for line in block.text.splitlines()
    if line.strip() and not line.startswith("#")
]


def load(path: Path):
    specification = importlib.util.spec_from_file_location(path.stem, path)
    assert specification
    assert specification.loader
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def test_the_generated_pages_are_those_of_the_code() -> None:
    for name, text in load(DOCS / "generate.py").pages().items():
        page = DOCS / "reference" / name
        assert page.read_text(encoding="utf-8") == text, "run: python docs/generate.py"


def test_every_page_is_in_the_site_and_nothing_else() -> None:
    class Loader(yaml.SafeLoader):
        """Reads MkDocs' file, whose Python names mean nothing here."""

    Loader.add_multi_constructor("tag:yaml.org,2002:python/", lambda *_: None)
    site = yaml.load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"), Loader)
    pages = [page for part in site["nav"] for pages in part.values() for page in pages]
    named = [next(iter(p.values())) if isinstance(p, dict) else p for p in pages]
    assert sorted(named) == [page.relative_to(DOCS).as_posix() for page in PAGES]


@pytest.mark.parametrize("page", ALL_TEXTS, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page: Path) -> None:
    for link in LINK.finditer(re.sub(r"`[^`\n]*`", "", page.read_text(encoding="utf-8"))):
        target, _, anchor = (link["target"] or link["image"]).partition("#")
        if target.startswith(("http://", "https://", "mailto:")):
            continue
        file = (page.parent / target).resolve() if target else page
        assert file.exists(), f"{page.name} links to {target}"
        if anchor:
            assert anchor in anchors(file), f"{page.name} links to {target}#{anchor}"


def anchors(page: Path) -> set[str]:
    slug = load(DOCS / "pages_from_code" / "markdown.py").slug
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    return {slug(heading.strip()) for heading in re.findall(r"^#+ (.*)$", text, re.MULTILINE)}


@pytest.mark.parametrize(("page", "line"), COMMANDS)
def test_every_command_is_one_that_there_is(page: Path, line: str) -> None:
    words = shlex.split(line, comments=True)
    program = Path(words[0]).name
    if program == "rasft":
        parse(words[1:])
    elif program in ("python", "python3"):
        check_python(page, words[1:])
    elif program == "make":
        assert re.search(rf"^{words[1]}:", (ROOT / "Makefile").read_text(), re.MULTILINE)
    elif words[0].startswith(("./", "sandbox/")):
        check_script(words)
    else:
        assert program in OTHERS or words[0] == ".", f"{program} is no known command"


def parse(words: list[str]) -> None:
    """Click's own check of a `rasft` command, which is not run."""
    command: click.Command = main
    while isinstance(command, click.Group):
        name, *words = words
        assert name in command.commands, f"no command {name!r}"
        command = command.commands[name]
    command.make_context(str(command.name), words)


def check_python(page: Path, words: list[str]) -> None:
    if words[0] == "-m":
        module, options = words[1], [word for word in words[2:] if word.startswith("--")]
        if module == "pytest":
            assert all((ROOT / w).exists() for w in words[2:] if w.startswith("tests"))
            return
        place = ROOT / module.replace(".", "/")
        source = (place / "__main__.py" if place.is_dir() else place.with_suffix(".py")).read_text()
        assert all(f'"{option}"' in source for option in options), options
        return
    assert (ROOT / words[0]).is_file(), words[0]
    if words[0].startswith("flows/"):
        check_flow(page, words[1:])


def check_flow(page: Path, words: list[str]) -> None:
    if words[:2] == ["--config", "cfg"]:
        own = {block.title: block.text for block in blocks(page) if block.language == "yaml"}
        if words[2] in own:
            assert page == EXTEND or config_files.parse(own[words[2]], words[2])
        else:
            config_files.load(ROOT / words[2])
        words = words[3:]
    assert words[0] in FLOW_COMMANDS, words[0]


def check_script(words: list[str]) -> None:
    assert os.access(ROOT / words[0], os.X_OK), words[0]
    if words[0] == "./install.sh" and len(words) > 2:
        assert (ROOT / "locks" / f"{words[2]}.txt").is_file(), words[2]


@pytest.mark.parametrize("block", CONFIGS, ids=str)
def test_every_config_of_a_guide_is_valid(
    block: Block, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RASFT_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv(plugins.VARIABLE, "")
    written(block.page, tmp_path)
    assert config_files.load(tmp_path / block.title)


def written(page: Path, folder: Path, but: str = "") -> None:
    """Every titled block of a page as a file; not what a command writes."""
    for block in blocks(page):
        if block.title and block.title not in but:
            path = folder / block.title
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.text, encoding="utf-8")


def run(block: Block, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a block's lines as a user would, `rasft` being this tree's."""
    written(block.page, folder, but=" ".join(re.findall(r"--output (\S+)", block.text)))
    (folder / "configs").symlink_to(ROOT / "configs")
    command = folder / "bin" / "rasft"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m rasft.cli "$@"\n')
    command.chmod(0o755)
    environment = {
        **os.environ,
        "PATH": f"{command.parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "RASFT_LEDGER_DIR": str(folder / "ledger"),
        "METAFLOW_DATASTORE_SYSROOT_LOCAL": str(folder / ".metaflow"),
    }
    return subprocess.run(
        ["sh", "-ec", block.text],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def marked(marker: str) -> list[Block]:
    return [block for block in SHELL if block.marker == marker]


@pytest.mark.parametrize("block", marked("run"), ids=str)
def test_marked_commands_run(block: Block, tmp_path: Path) -> None:
    done = run(block, tmp_path)
    assert done.returncode == 0, done.stderr
    for name in re.findall(r"--output (\S+)", block.text):
        shown = [each.text for each in blocks(block.page) if each.title == name]
        if shown:
            assert judged(shown[0]) == judged((tmp_path / name).read_text())


@pytest.mark.parametrize("block", marked("fails"), ids=str)
def test_commands_that_are_to_fail_do(block: Block, tmp_path: Path) -> None:
    done = run(block, tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("Error: ")


@pytest.mark.docker
@pytest.mark.parametrize("block", marked("docker"), ids=str)
def test_programs_of_the_guide_are_judged(block: Block, tmp_path: Path) -> None:
    run(block, tmp_path)
    rows = (tmp_path / "judged.jsonl").read_text().splitlines()
    assert [json.loads(row)["status"] for row in rows] == ["correct", "timed_out", "malformed"]


def judged(text: str) -> list[dict[str, object]]:
    """Rows of `rasft verify` without the time they took."""
    return [{**json.loads(line), "seconds": 0} for line in text.splitlines()]


@pytest.fixture(scope="module")
def extended(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with every plugin of the guide, and what they read."""
    folder = tmp_path_factory.mktemp("extended")
    written(EXTEND, folder)
    (folder / "math").mkdir()
    row = {"id": "svamp/1", "problem": "What is 2 + 3?", "answer": 5}
    (folder / "math" / "svamp.jsonl").write_text(json.dumps(row) + "\n")
    (folder / "problems.csv").write_text("problem,solution,answer\nWhat is 2 + 3?,\\boxed{5},5\n")
    return folder


def extending(folder: Path, *words: str, cwd: Path, **variables: str) -> str:
    places = {"PYTHONPATH": str(ROOT), "RASFT_DATA_DIR": str(folder)}
    done = subprocess.run(
        [sys.executable, *words],
        cwd=cwd,
        env={**os.environ, **places, "RASFT_CACHE_DIR": str(folder / "cache"), **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout


@pytest.mark.parametrize("kind", ["losses", "engines"])
def test_plugins_of_the_guide_pass_the_contract(extended: Path, kind: str) -> None:
    name = {"losses": "focal", "engines": "plain"}[kind]
    said = extending(
        extended, "-m", "pytest", "-q", "-p", "no:xdist", f"tests/contract/test_{kind}.py",
        "-k", name, cwd=ROOT, RASFT_PLUGINS=str(extended / "my_plugins"),
    )  # fmt: skip
    assert int(re.findall(r"(\d+) passed", said)[0]) >= 9


USE = """
from pathlib import Path
from rasft import plugins
from rasft.config import files
from rasft.config.verification import VerificationConfig
from rasft.data import problems
from rasft.records import Problem
from rasft.verifiers import Submission
for path in sorted(Path().glob("*.yaml")):
    config = files.load(path)
    for dataset in config.data.datasets:
        if dataset.name == "spreadsheet":
            table, dropped, _ = problems.load_problems(config, ".")
            print("spreadsheet", table["answer"].to_pylist(), len(dropped))
    for benchmark in config.evaluation.benchmarks:
        if benchmark.name == "svamp":
            print("svamp", [row.answer for row in problems.load_benchmark(benchmark, ".")])
for kind in plugins.KINDS:
    print(kind, *sorted(set(plugins.names(kind)) - set(plugins.library(kind))))
print("KIND", plugins.load("benchmarks", "svamp").KIND)
problem = Problem(id="1", prompt="", verifier="yesno", answer="yes")
said = ["I think the answer is Yes.", "Answer: no", "no idea"]
with plugins.load("verifiers", "yesno").build({}) as verifier:
    print(*(str(each.status) for each in verifier.judge(Submission(problem, s) for s in said)))
"""


def test_plugins_of_the_guide_are_found_by_their_names(extended: Path) -> None:
    assert extending(extended, "-c", USE, cwd=extended).splitlines() == [
        "spreadsheet ['5'] 0",
        "svamp ['5']",
        "datasets spreadsheet",
        "verifiers yesno",
        "engines plain",
        "losses focal",
        "benchmarks svamp",
        "KIND math",
        "correct incorrect no_answer",
    ]


def test_the_doctor_tells_of_the_plugins_of_the_guide(extended: Path) -> None:
    (told,) = (b.text for b in blocks(EXTEND) if b.text.startswith("ok    your"))
    code = "import sys; from rasft.cli import main; main(['doctor', 'focal.yaml'])"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=extended,
        env={**os.environ, "PYTHONPATH": str(ROOT), "RASFT_CACHE_DIR": str(extended / "cache")},
        capture_output=True,
        text=True,
        check=False,
    )
    found = [line for line in done.stdout.splitlines() if "  your " in line]
    hidden = re.compile(r"version \w{16}")
    assert [hidden.sub("", line) for line in found] == hidden.sub("", told).splitlines()


def test_every_artifact_of_the_flows_is_explained() -> None:
    text = (DOCS / "reference" / "artifacts.md").read_text(encoding="utf-8")
    told = {name for line in text.splitlines() if line.startswith("|") for name in _names(line)}
    assert {name for path in (ROOT / "flows").glob("*.py") for name in assigned(path)} <= told


def _names(line: str) -> list[str]:
    return re.findall(r"`(\w+)`", line)


def assigned(path: Path) -> Iterator[str]:
    """What the steps of a flow keep: attributes of `self` in classes that are flows."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ClassDef) and any(map(is_step, ast.walk(node))):
            for each in ast.walk(node):
                stored = isinstance(each, ast.Attribute) and isinstance(each.ctx, ast.Store)
                if stored and isinstance(each.value, ast.Name) and each.value.id == "self":
                    yield each.attr


def is_step(node: ast.AST) -> bool:
    decorators = getattr(node, "decorator_list", [])
    return any(isinstance(each, ast.Name) and each.id == "step" for each in decorators)


def test_every_variable_of_the_environment_is_explained() -> None:
    text = (DOCS / "reference" / "environment.md").read_text(encoding="utf-8")
    sources = [p for folder in ("rasft", "flows", "sandbox") for p in (ROOT / folder).rglob("*.py")]
    used = {name for path in sources for name in re.findall(r"\bRASFT_[A-Z_]+\b", path.read_text())}
    assert used == set(re.findall(r"`(RASFT_[A-Z_]+)`", text))
