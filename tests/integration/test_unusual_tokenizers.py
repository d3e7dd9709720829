"""Tokenizers and vocabularies that people meet: no pad token, padded vocabulary, added tokens."""

from __future__ import annotations

from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from rasft.config.chat import ChatConfig
from rasft.config.settings import PromptConfig
from rasft.decoding.continuous_batching import TransformersEngine
from rasft.decoding.engine import EngineOptions, Request, Sampling
from rasft.models.language_model import load_model, load_tokenizer, save_checked
from rasft.models.renderer import Renderer, open_renderer
from rasft.records import Problem
from rasft.training.scoring import score
from tests import chat_models
from tests.chat_models import GEMMA, GEMMA_TOKENS

PROBLEM = Problem("p", "What is <step> 2 + 3?", "math", expert_response="It is \\boxed{5}.")


def opened(folder: Path) -> Renderer:
    prompts = {"math": PromptConfig()}
    return open_renderer(folder, prompts, ChatConfig())


def lengthened(folder: Path, rows: int) -> None:
    """Give the model more rows in its vocabulary, as many are published with."""
    model = AutoModelForCausalLM.from_pretrained(folder)
    model.resize_token_embeddings(
        model.get_input_embeddings().num_embeddings + rows, mean_resizing=False
    )
    model.save_pretrained(folder)


def test_a_tokenizer_without_a_pad_token_scores_samples_and_saves(tmp_path: Path) -> None:
    folder = chat_models.build(tmp_path / "model", GEMMA, GEMMA_TOKENS)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.pad_token = None
    tokenizer.save_pretrained(folder)
    renderer = opened(folder)
    assert renderer.tokenizer.pad_token_id is None
    prompt, response = renderer.prompt_ids(PROBLEM), renderer.response_ids(PROBLEM.expert)
    (scored,) = score(str(folder), [("p", -1, prompt, response)], "float32", 512)
    assert len(scored.reference_logps) == len(response)
    options = EngineOptions("float32", 256, stop_token_ids=renderer.stop_token_ids)
    with TransformersEngine(str(folder), options) as engine:
        ((_, drawn),) = engine.generate([Request(prompt, 0)], Sampling(1.0, 1.0, 5))
    assert 1 <= len(drawn.token_ids) <= 5
    model = load_model(folder)
    save_checked(model, model.state_dict(), load_tokenizer(folder), tmp_path / "saved")
    assert opened(tmp_path / "saved").prompt_ids(PROBLEM) == prompt


def test_a_token_beyond_the_tokenizer_is_decoded_to_nothing(tmp_path: Path) -> None:
    folder = chat_models.build(tmp_path / "model", GEMMA, GEMMA_TOKENS)
    lengthened(folder, rows=64)
    renderer = opened(folder)
    beyond = load_model(folder).get_input_embeddings().num_embeddings - 1
    assert beyond >= len(renderer.tokenizer)
    five = renderer.tokenizer("5", add_special_tokens=False).input_ids
    assert renderer.decode((*five, beyond)) == "5"


def test_an_added_token_is_one_token_and_lasts(tmp_path: Path) -> None:
    folder = chat_models.build(tmp_path / "model", GEMMA, GEMMA_TOKENS)
    before = opened(folder).prompt_ids(PROBLEM)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.add_tokens(["<step>"])
    tokenizer.save_pretrained(folder)
    lengthened(folder, rows=8)
    prompt = opened(folder).prompt_ids(PROBLEM)
    assert len(prompt) == len(before) - len("<step>") + 1
    model = load_model(folder)
    save_checked(model, model.state_dict(), load_tokenizer(folder), tmp_path / "saved")
    assert opened(tmp_path / "saved").prompt_ids(PROBLEM) == prompt
    again = load_model(tmp_path / "saved")
    ids = torch.tensor([prompt])
    assert torch.equal(model(ids).logits, again(ids).logits)
