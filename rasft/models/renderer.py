"""The one renderer: problem -> token ids, and where the prompt ends and the response begins.

Engines and trainer get token ids from here and nowhere else, so what is sampled and what is
trained agree to the token. One principle: the prompt is exactly what the engine is given, with the
template's switches as the config has them; supervised is exactly what the model has to write after
it, up to and with what ends its turn in the template (`turns`). Sampling stops there and at every
EOS of the model. An expert's text is kept to the letter. Where a conversation does not go on where
its prompt ends, `chat.opening` says what the model writes first; without it the template is
refused. A decoded text begins with the thinking that its prompt has opened: its readers must know.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rasft.config.chat import ChatConfig
from rasft.config.settings import PromptConfig
from rasft.errors import UserError
from rasft.models.chat_template import ChatTemplate, Message
from rasft.models.messages import PLACE, messages
from rasft.models.turns import THINK, opening_of, read_turn
from rasft.records import Problem

# Names of the class that is nothing but the folder's tokenizer.json.
GENERAL_TOKENIZERS = ("PreTrainedTokenizerFast", "TokenizersBackend")
DEFAULTS = ChatConfig()


def open_renderer(folder: Path, prompts: Mapping[str, PromptConfig], chat: ChatConfig) -> Renderer:
    """The renderer of a model folder's tokenizer.

    Raises UserError if it cannot be loaded, and as `Renderer` does.
    """
    try:
        tokenizer = _tokenizer_class(folder).from_pretrained(folder)
    except (OSError, ValueError) as error:
        raise UserError(f"cannot load the tokenizer of {folder}: {error}") from None
    return Renderer(tokenizer, prompts, chat, eos_token_ids(folder))


def eos_token_ids(folder: Path) -> tuple[int, ...]:
    """Every EOS of a model folder's generation config, or of its config where it has none."""
    paths = (folder / "generation_config.json", folder / "config.json")
    stated = next((path.read_text("utf-8") for path in paths if path.is_file()), "{}")
    found = json.loads(stated).get("eos_token_id")
    return () if found is None else tuple(found) if isinstance(found, list) else (found,)


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

    `prompts` maps a verifier's name to the prompt of its problems, `eos_token_ids` are those of the
    model's generation config. Raises UserError if the tokenizer has no chat template, or one that
    reads the clock, whose turns end with no special token, or that leaves a choice which `chat`
    does not make.
    """

    def __init__(
        self,
        tokenizer: Any,
        prompts: Mapping[str, PromptConfig],
        chat: ChatConfig = DEFAULTS,
        eos_token_ids: Sequence[int] = (),
    ):
        self.tokenizer = tokenizer
        self.prompts, self.chat = prompts, chat
        self.template = ChatTemplate(tokenizer, chat)
        self.turn = read_turn(self.template.render, tokenizer)
        self._takes_system = False  # until it is asked
        if any(prompt.system for prompt in prompts.values()):
            self._check_system()
        self.opening = self._without_own_blank(opening_of(self.turn, chat.opening))
        self._eos_token_ids = {*eos_token_ids, tokenizer.eos_token_id} - {None}

    @property
    def stop_token_ids(self) -> tuple[int, ...]:
        """Where sampling stops: what ends a turn, then every other EOS of the model."""
        end = self.turn.end_ids[-1]
        return (end, *sorted(self._eos_token_ids - {end}))

    def prompt_ids(self, problem: Problem) -> tuple[int, ...]:
        """Token ids of the whole prompt, up to where the assistant begins to write."""
        return self._tokens(self.template.render(self.messages(problem), True))

    def response_ids(self, response: str) -> tuple[int, ...]:
        """Token ids of what the model writes to respond so, up to and with what ends its turn."""
        written = self._written(response) + self.turn.closing
        return (*self._tokens(written), *self.turn.end_ids)

    def decode(self, token_ids: Sequence[int]) -> str:
        """The text of response tokens: without the opening, what ends the turn and other special
        tokens, but with the thinking that the prompt has opened.
        """
        ends = {*self.turn.end_ids, *self.stop_token_ids}
        end = len(token_ids)
        while end and token_ids[end - 1] in ends:
            end -= 1
        opening = self._tokens(self.opening)
        is_opened = tuple(token_ids[: len(opening)]) == opening
        ids = token_ids[len(opening) if is_opened else 0 : end]
        text = str(self.tokenizer.decode(ids, skip_special_tokens=True))
        thinking = "" if self.opening and is_opened else self.turn.thinking
        return thinking + text.removesuffix(self.turn.closing)

    def messages(self, problem: Problem) -> list[Message]:
        """The chat before the response. Raises UserError where the template has no system role."""
        if problem.system:
            self._check_system()
        return messages(problem, self.prompts, self.chat)

    def notes(self) -> list[str]:
        """What a reader of the results must know of the prompts."""
        found = []
        if self.template.has_date:
            found.append(f"the prompts say that today is {self.chat.date} (chat.date)")
        if self.chat.system_role == "user" and any(p.system for p in self.prompts.values()):
            found.append("the system text stands in the first user message (chat.system_role)")
        return found

    def _check_system(self) -> None:
        if self.chat.system_role == "template" and not self._takes_system:
            self.template.check_system()
            self._takes_system = True

    def _written(self, response: str) -> str:
        """The response after its opening; one that thinks by itself goes on in the prompt's."""
        if not response.lstrip().startswith(THINK):
            return self.opening + response
        if self.turn.thinking:
            blank = self.turn.thinking.removeprefix(THINK)
            return response.lstrip().removeprefix(THINK).removeprefix(blank)
        return response if THINK in self.opening else self.opening + response

    def _without_own_blank(self, opening: str) -> str:
        """Tokenizers of the SentencePiece kind put a blank before every text themselves."""
        (first, *_) = self.tokenizer.convert_ids_to_tokens(self._tokens("a"))
        return opening.removeprefix(" ") if first.startswith("\u2581") else opening

    def fingerprint(self) -> str:
        """sha256 of the chat template and its values and the prompt settings: what a result
        depends on. Values that the template does not read are no part of it.
        """
        settings = {name: _stated(prompt) for name, prompt in sorted(self.prompts.items())}
        facts = self.template.facts()
        parts = [self.template.text, settings, *([facts] if facts else [])]
        content = json.dumps(parts, sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()

    def _tokens(self, text: str) -> tuple[int, ...]:
        return tuple(self.tokenizer(text, add_special_tokens=False)["input_ids"])


def _stated(prompt: PromptConfig) -> dict[str, Any]:
    """A prompt's values; a question that is the problem alone says nothing."""
    return prompt.model_dump(exclude={"question"} if prompt.question == PLACE else None)
