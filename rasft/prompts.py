"""The one renderer: problem -> token ids, and where the prompt ends and the response begins.

Engines and trainer get token ids from here and nowhere else, so what is sampled and what is
trained agree to the token. A response ends with the EOS, which is supervised.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rasft.config import PromptConfig
from rasft.errors import UserError
from rasft.records import Problem

Message = dict[str, str]

# Names of the class that is nothing but the folder's tokenizer.json.
GENERAL_TOKENIZERS = ("PreTrainedTokenizerFast", "TokenizersBackend")


def open_renderer(folder: Path, prompts: Mapping[str, PromptConfig]) -> Renderer:
    """The renderer of a model folder's tokenizer. Raises UserError if it cannot be loaded."""
    try:
        tokenizer = _tokenizer_class(folder).from_pretrained(folder)
    except (OSError, ValueError) as error:
        raise UserError(f"cannot load the tokenizer of {folder}: {error}") from None
    return Renderer(tokenizer, prompts)


def _tokenizer_class(folder: Path) -> Any:
    """The class that AutoTokenizer would take, which imports torch before it has looked.

    Most folders name the general one, and every task that renders a prompt is spared seconds.
    """
    import transformers

    settings = folder / "tokenizer_config.json"
    named = settings.is_file() and json.loads(settings.read_text("utf-8")).get("tokenizer_class")
    general = transformers.PreTrainedTokenizerFast
    return general if named in GENERAL_TOKENIZERS else transformers.AutoTokenizer


class Renderer:
    """Renders problems for one tokenizer and one set of prompt settings.

    `prompts` maps a verifier's name to the prompt of its problems. Raises UserError if the
    tokenizer has no chat template or no EOS.
    """

    def __init__(self, tokenizer: Any, prompts: Mapping[str, PromptConfig]):
        if not tokenizer.chat_template:
            raise UserError(
                f"tokenizer {tokenizer.name_or_path!r} has no chat template; "
                "name an instruction model in model.path, or add a template to its folder"
            )
        if tokenizer.eos_token_id is None:
            raise UserError(f"tokenizer {tokenizer.name_or_path!r} has no EOS token")
        self.tokenizer = tokenizer
        self.prompts = prompts

    @property
    def eos_token_id(self) -> int:
        """The token that ends a response."""
        return int(self.tokenizer.eos_token_id)

    def prompt_ids(self, problem: Problem) -> tuple[int, ...]:
        """Token ids of the whole prompt, up to where the assistant begins to write."""
        text = self.tokenizer.apply_chat_template(
            self.messages(problem), tokenize=False, add_generation_prompt=True
        )
        return tuple(self.tokenizer(text, add_special_tokens=False)["input_ids"])

    def response_ids(self, response: str) -> tuple[int, ...]:
        """Token ids of a response text, closed by the EOS."""
        ids = self.tokenizer(response, add_special_tokens=False)["input_ids"]
        return (*ids, self.eos_token_id)

    def decode(self, token_ids: tuple[int, ...]) -> str:
        """The text of response tokens, without special tokens."""
        return str(self.tokenizer.decode(token_ids, skip_special_tokens=True))

    def messages(self, problem: Problem) -> list[Message]:
        """The chat before the response: system, few-shot exchanges, the problem."""
        if problem.verifier not in self.prompts:
            raise UserError(
                f"problem {problem.id!r} is for the verifier {problem.verifier!r}, and the config "
                f"has no prompts.{problem.verifier}; add it"
            )
        prompt = self.prompts[problem.verifier]
        system = [{"role": "system", "content": prompt.system}] if prompt.system else []
        shots = [
            message
            for shot in prompt.few_shot
            for message in (
                {"role": "user", "content": shot.user},
                {"role": "assistant", "content": shot.assistant},
            )
        ]
        return [*system, *shots, {"role": "user", "content": problem.prompt}]

    def fingerprint(self) -> str:
        """sha256 of the chat template and the prompt settings: what a result depends on."""
        settings = {name: prompt.model_dump() for name, prompt in sorted(self.prompts.items())}
        content = json.dumps([self.tokenizer.chat_template, settings], sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()
