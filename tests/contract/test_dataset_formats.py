"""Each form that people's data comes in, as a real file that the plugins `files` and `hub` read."""

import csv
import gzip
import json
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from rasft import plugins
from rasft.config.settings import DatasetConfig
from rasft.data import file_types, rows
from rasft.data.sizes import Size, size_of
from rasft.data.source import Source
from rasft.errors import UserError
from rasft.records import Dropped, Problem

ROWS = [
    {"prompt": "1+1?", "expert_response": "It is\n\\boxed{2}.", "answer": "2"},
    {"prompt": "2+2 = «?»", "expert_response": "It is \\boxed{4}.", "answer": "4"},
]


def load(folder, path, name="files", notes=None, **options):
    source = Source(str(folder), options={"path": path, "verifier": "math", **options})
    found = list(plugins.load("datasets", name).load(source))
    if notes is not None:
        notes += source.notes
    return found


def lines(values):
    return "".join(json.dumps(value, ensure_ascii=False) + "\n" for value in values)


def separated(path, delimiter, newline, encoding="utf-8"):
    with path.open("w", newline="", encoding=encoding) as file:
        writer = csv.DictWriter(file, list(ROWS[0]), delimiter=delimiter, lineterminator=newline)
        writer.writeheader()
        for row in ROWS:
            writer.writerow({name: text.replace("\n", newline) for name, text in row.items()})


WRITERS = {
    "a.jsonl": lambda path: path.write_text(lines(ROWS)),
    "bom.jsonl": lambda path: path.write_bytes(
        b"\xef\xbb\xbf" + lines(ROWS).replace("\n", "\r\n").encode()
    ),
    "a.ndjson": lambda path: path.write_text(lines(ROWS)),
    "list.json": lambda path: path.write_text(json.dumps(ROWS, indent=2), encoding="utf-8-sig"),
    "object.json": lambda path: path.write_text(json.dumps({"version": 1, "data": ROWS})),
    "lines.json": lambda path: path.write_text(lines(ROWS)),
    "a.csv": lambda path: separated(path, ",", "\n"),
    "excel.csv": lambda path: separated(path, ",", "\r\n", "utf-8-sig"),
    "a.tsv": lambda path: separated(path, "\t", "\n"),
    "a.parquet": lambda path: pq.write_table(pa.Table.from_pylist(ROWS), path),
    "a.jsonl.gz": lambda path: path.write_bytes(gzip.compress(lines(ROWS).encode())),
    "a.csv.gz": lambda path: path.write_bytes(gzip.compress(b"prompt,expert_response,answer\n")),
}


@pytest.mark.parametrize("name", WRITERS)
def test_each_type_of_file_gives_the_same_problems(name, tmp_path):
    WRITERS[name](tmp_path / name)
    stem = name.split(".")[0]
    expected = [
        Problem(f"{stem}/{i}", r["prompt"], "math", r["expert_response"], r["answer"], source=stem)
        for i, r in enumerate(ROWS)
    ]
    assert load(tmp_path, name) == ([] if name == "a.csv.gz" else expected)


def test_files_of_a_pattern_come_in_order_and_with_names_of_their_own(tmp_path):
    for folder in ("b", "a"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "part.jsonl").write_text(lines(ROWS))
    found = load(tmp_path, "*/part.jsonl")
    assert [row.id for row in found] == ["a/part/0", "a/part/1", "b/part/0", "b/part/1"]
    assert next(row.id for row in load(tmp_path, ["b/part.jsonl", "a/part.jsonl"])) == "b/part/0"
    (tmp_path / "rows.txt").write_text(lines(ROWS))
    assert len(load(tmp_path, "rows.txt", file_type="jsonl")) == 2


def test_a_file_is_read_from_a_web_server(tmp_path):
    (tmp_path / "rows.jsonl").write_text(lines(ROWS))

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

        def __init__(self, *arguments):
            super().__init__(*arguments, directory=str(tmp_path))

    with ThreadingHTTPServer(("127.0.0.1", 0), Quiet) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}"
        found = load(None, f"{address}/rows.jsonl?download=true")
        with pytest.raises(rows.SourceUnavailable, match=r"cannot read http.*none.jsonl"):
            load(None, f"{address}/none.jsonl")
        server.shutdown()
    assert [row.id for row in found] == ["rows/0", "rows/1"]


def test_parquet_is_read_in_parts(tmp_path, monkeypatch):
    """Of one row group of 40 MB little is in Arrow's memory at once."""
    texts = [f"{number:07}" * 1000 for number in range(6000)]
    table = pa.table({"prompt": texts, "expert_response": texts, "answer": ["1"] * 6000})
    pq.write_table(table, tmp_path / "big.parquet", compression="none", use_dictionary=False)
    del table, texts
    before, most = pa.total_allocated_bytes(), 0
    options = {"path": "big.parquet", "verifier": "math"}
    for number, _ in enumerate(
        plugins.load("datasets", "files").load(Source(str(tmp_path), options=options))
    ):
        if number % 500 == 0:
            most = max(most, pa.total_allocated_bytes() - before)
    assert number == 5999
    assert most < 40e6 < (tmp_path / "big.parquet").stat().st_size


CHATS = {
    "messages": [
        {"messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "1+1?"},
            {"role": "assistant", "content": [{"type": "text", "text": "It is \\boxed{2}."}]},
        ]},
        {"messages": [
            {"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"},
            {"role": "user", "content": "1+1?"}, {"role": "assistant", "content": "2"},
        ]},
    ],
    "sharegpt": [
        {"system": "Be brief.", "conversations": [
            {"from": "human", "value": "1+1?"}, {"from": "gpt", "value": "It is \\boxed{2}."},
        ]},
    ],
    "alpaca": [
        {"instruction": "1+1?", "input": "", "output": "It is \\boxed{2}.", "system": "Be brief."},
    ],
    "prompt_completion": [
        {"prompt": "1+1?", "completion": "It is \\boxed{2}.", "system": "Be brief."},
        {"prompt": [{"role": "user", "content": "1+1?"}],
         "completion": [{"role": "assistant", "content": "It is \\boxed{2}."}]},
    ],
}  # fmt: skip


@pytest.mark.parametrize("format_", CHATS)
def test_chat_formats_are_recognised_and_said(format_, tmp_path):
    (tmp_path / "chat.jsonl").write_text(lines(CHATS[format_]))
    notes = []
    found = load(tmp_path, "chat.jsonl", notes=notes, answer="boxed")
    said = r"It is \boxed{2}."
    assert found[0] == Problem(
        "chat/0", "1+1?", "math", said, "2", source="chat", system="Be brief."
    )
    assert notes == [
        f"files: the rows of chat are read as format {format_!r}, which their fields tell; "
        f"format: {format_} states it"
    ]
    silent = []
    assert load(tmp_path, "chat.jsonl", notes=silent, answer="boxed", format=format_) == found
    assert silent == []
    if format_ == "messages":
        assert found[1] == Dropped(
            "chat/1", "multi_turn", f"{tmp_path}/chat.jsonl line 2: its turns are user, assistant, "
            "user, assistant",
        )  # fmt: skip
    if format_ == "prompt_completion":
        assert (found[1].prompt, found[1].expert_response) == ("1+1?", said)


def test_an_input_follows_its_instruction_and_a_map_may_name_the_chat_field(tmp_path):
    row = {"instruction": "Add.", "input": "1+1", "output": "2", "chat": CHATS["sharegpt"][0]}
    row["chat"] = row["chat"]["conversations"]
    (tmp_path / "chat.jsonl").write_text(lines([row]))
    assert load(tmp_path, "chat.jsonl")[0].prompt == "Add.\n\n1+1"
    fields = {"conversations": "chat"}
    assert load(tmp_path, "chat.jsonl", format="sharegpt", fields=fields)[0].prompt == "1+1?"


@pytest.mark.parametrize(
    ("option", "text", "answer"),
    [
        ("boxed", "so \\boxed{7}", "7"),
        ("hashes", "so\n#### 1,007 ", "1,007"),
        ({"regex": "(?i)answer: *(.*)"}, "Answer: 1\nso\nanswer: 7 ", "7"),
        ({"regex": "answer: (.*)"}, "no", None),
        ("field:extra.gold", "so", "8"),
    ],
)
def test_the_answer_is_read_where_it_is_said_to_stand(option, text, answer, tmp_path):
    row = {"prompt": "?", "expert_response": text, "extra": {"gold": 8}}
    (tmp_path / "rows.jsonl").write_text(lines([row]))
    (problem,) = load(tmp_path, "rows.jsonl", answer=option)
    assert problem.answer == answer
    boxed = "so\nThe answer is \\boxed{1,007}."
    assert problem.expert_response == (boxed if option == "hashes" else text)


def test_the_authors_of_gsm8k_use_one_field_for_two_things(tmp_path):
    """A field that `fields` gives to another is not taken under its own name."""
    (tmp_path / "rows.jsonl").write_text(lines([{"question": "?", "answer": "so\n#### 7"}]))
    fields = {"prompt": "question", "expert_response": "answer"}
    (problem,) = load(tmp_path, "rows.jsonl", fields=fields, answer="hashes")
    assert (problem.answer, problem.expert_response) == ("7", "so\nThe answer is \\boxed{7}.")


def test_a_pattern_that_takes_too_long_is_refused(tmp_path):
    row = {"prompt": "?", "expert_response": "a" * 40 + "b"}
    (tmp_path / "rows.jsonl").write_text(lines([row]))
    with pytest.raises(UserError, match=r"line 1: files: .* takes over 1 s; use one without"):
        load(tmp_path, "rows.jsonl", answer={"regex": "^((?:a|aa)+)+$"})


def test_several_expert_responses_are_of_one_problem(tmp_path):
    values = [
        {"id": "a", "prompt": "?", "answer": "1", "expert_response": ["x", "y", " "]},
        {"id": "b", "prompt": "!", "answer": "2", "expert_response": "z"},
        {"id": "a", "prompt": "?", "answer": "1", "expert_response": "w"},
    ]
    (tmp_path / "rows.jsonl").write_text(lines(values))
    a, b = load(tmp_path, "rows.jsonl", group=True)
    assert a.expert_sequences == ((-1, "x"), (-2, "y"), (-3, "w"))
    assert b.experts == ()
    by_prompt = load(tmp_path, "rows.jsonl", group="prompt")
    assert [row.id for row in by_prompt] == ["?", "!"]
    options = {"path": "rows.jsonl", "verifier": "math", "group": True}
    wanted = DatasetConfig(name="files", options=options)
    assert size_of("datasets", wanted, str(tmp_path), 0) == Size("files", 2, counted=True)
    (tmp_path / "rows.jsonl").write_text(lines([values[0], values[2] | {"answer": "3"}]))
    with pytest.raises(UserError, match=r"two rows have the id 'a', .* and differ in answer"):
        load(tmp_path, "rows.jsonl", group=True)


@pytest.mark.parametrize(
    ("name", "content", "options", "message"),
    [
        ("a.json", "{}", {}, r"a.json holds one JSON value with 0 lists"),
        ("a.json", "[1]", {}, r"a.json row 1 must hold a JSON object, not int"),
        ("a.json", "[{]", {}, r"a.json line 1 is not valid JSON"),
        ("a.csv", "prompt\n?,x\n", {}, r"a.csv row 1 has more cells than the header"),
        ("a.csv", "problem;solution\n?;x\n", {}, r"'prompt' is missing or empty; it has: problem;"),
        ("a.csv", "prompt\n\xe9\n", {}, r"a.csv is no UTF-8 text"),
        ("a.parquet", "PAR1", {}, r"cannot read .*a.parquet as parquet: .*file_type"),
        ("a.jsonl.gz", "{}", {}, r"cannot read .*a.jsonl.gz: Not a gzipped file"),
        ("a.txt", "", {}, r"path = 'a.txt': the name .* says no type; set file_type to one of: js"),
        ("a.csv", "", {"file_type": "xls"}, r"file_type = 'xls' must be one of: jsonl, json, csv"),
        ("a.csv", "", {"path": "*.tsv"}, r"path = '\*.tsv': there is no file .*\*.tsv; give an ab"),
        ("a.csv", "", {"path": "."}, r"path = '.': .* is a folder; name its files, such as"),
        ("a.csv", "", {"path": {"a": 1}}, r"path = \{'a': 1\} must be a path, or a list of them"),
        ("a.csv", "", {"path": "nope://a/b.csv"}, r"nope://a/b.csv cannot be opened: Protocol"),
        ("a.csv", "", {"path": "gcs://a/b.csv"}, r"gcs://a/b.csv cannot be opened: .*gcsfs"),
        ("a.csv", "", {"format": "chatml"}, r"format = 'chatml' must be one of: fields, messages"),
        ("a.csv", "", {"answer": {"regex": "("}}, r"no pattern is '\(': missing \)"),
        ("a.csv", "", {"answer": {"regex": "a"}}, r"the pattern 'a' has 0 groups; put the answer"),
        ("a.csv", "", {"group": 3}, r"group = 3 must be true, or name a field"),
        ("a.csv", "", {"answer": "field:x", "fields": {"answer": "y"}}, r"takes answer from 'y',"),
        ("a.jsonl", '{"messages": "hi"}', {}, r"'messages' must be a list of turns for the format"),
        ("a.jsonl", '{"messages": [{"content": "hi"}]}', {}, r"has a turn without role and text"),
        (
            "a.jsonl",
            '{"messages": [{"role": "user", "content": [{"type": "image"}]}]}',
            {},
            r"line 1: field 'messages' has a turn of type 'image'; only text is read",
        ),
    ],
)
def test_what_cannot_be_read_is_one_message(name, content, options, message, tmp_path):
    (tmp_path / name).write_bytes(content.encode("latin-1"))
    with pytest.raises(UserError, match=message) as refused:
        load(tmp_path, options.pop("path", name), **options)
    assert "\n" not in str(refused.value)


class TestHub:
    """`datasets` itself reads a folder of the shape that the hub's datasets have."""

    @pytest.fixture
    def dataset(self, tmp_path, monkeypatch):
        monkeypatch.setattr(rows, "hub_failure", lambda: "")
        monkeypatch.setattr(rows, "newest_commit", lambda hub: "abc123")
        monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
        for split in ("train", "test"):
            pq.write_table(pa.Table.from_pylist(ROWS), tmp_path / f"{split}.parquet")
        return str(tmp_path)

    def load(self, notes=None, limit=None, **options):
        source = Source(limit=limit, options={"verifier": "math", **options})
        found = list(plugins.load("datasets", "hub").load(source))
        if notes is not None:
            notes += source.notes
        return found

    def test_a_split_is_streamed_and_the_newest_commit_is_said(self, dataset):
        notes = []
        first, second = self.load(notes, dataset=dataset, split="test")
        assert first == Problem(
            f"{dataset}/test/0", "1+1?", "math", ROWS[0]["expert_response"], "2", source=dataset
        )
        assert second.id == f"{dataset}/test/1"
        assert notes == [
            f"hub: {dataset} is read at its newest commit, abc123; revision: abc123 holds it there"
        ]
        notes.clear()
        assert len(self.load(notes, limit=1, dataset=dataset, revision="def")) == 1
        assert notes == []

    def test_what_it_has_not_is_one_message(self, dataset):
        with pytest.raises(rows.SourceUnavailable, match=r"cannot be read .*Bad split: dev"):
            self.load(dataset=dataset, split="dev")
        with pytest.raises(UserError, match="split train row 0: field 'question' is missing"):
            self.load(dataset=dataset, fields={"prompt": "question"})

    def test_without_a_hub_it_says_so(self, monkeypatch):
        monkeypatch.setattr(rows, "hub_failure", lambda: "no route")
        message = r"the hub dataset a/b cannot be read \(no route\); connect to the hub, and look"
        with pytest.raises(rows.SourceUnavailable, match=message):
            self.load(dataset="a/b")

    @pytest.mark.parametrize(
        ("options", "message"),
        [({}, "hub: option dataset is missing"), ({"dataset": 3}, "option dataset = 3 must be te")],
    )
    def test_bad_options_are_explained(self, options, message):
        with pytest.raises(UserError, match=message):
            self.load(**options)


def test_types_are_told_by_names():
    assert [file_types.type_of(f"x/{name}") for name in WRITERS] == [
        "jsonl", "jsonl", "jsonl", "json", "json", "json", "csv", "csv", "tsv", "parquet",
        "jsonl", "csv",
    ]  # fmt: skip
