"""The chat before a response: system text (the problem's own, if any), worked examples, problem."""

from __future__ import annotations

from collections.abc import Mapping

from rasft.config.chat import ChatConfig
from rasft.config.settings import PromptConfig
from rasft.errors import UserError
from rasft.models.chat_template import Message
from rasft.records import Problem

PLACE = "{problem}"


def messages(
    problem: Problem, prompts: Mapping[str, PromptConfig], chat: ChatConfig
) -> list[Message]:
    """The messages of a problem. Raises UserError where no prompt is for its verifier."""
    prompt = _prompt(problem, prompts)
    shots = [
        message
        for shot in prompt.few_shot
        for message in (
            {"role": "user", "content": shot.user},
            {"role": "assistant", "content": shot.assistant},
        )
    ]
    asked = {"role": "user", "content": prompt.question.replace(PLACE, problem.prompt)}
    system = prompt.system if problem.system is None else problem.system
    return _with_system(system, [*shots, asked], chat)


def _prompt(problem: Problem, prompts: Mapping[str, PromptConfig]) -> PromptConfig:
    if problem.verifier not in prompts:
        raise UserError(
            f"problem {problem.id!r} is for the verifier {problem.verifier!r}, and the config "
            f"has no prompts.{problem.verifier}; add it"
        )
    return prompts[problem.verifier]


def _with_system(system: str, talk: list[Message], chat: ChatConfig) -> list[Message]:
    if not system:
        return talk
    if chat.system_role == "template":
        return [{"role": "system", "content": system}, *talk]
    first = {**talk[0], "content": f"{system}\n\n{talk[0]['content']}"}
    return [first, *talk[1:]]
