"""How prompts and responses are rendered: a line for each thing that often goes wrong.

A template that leaves a choice open is refused when its renderer is made, so these always pass.
"""

from __future__ import annotations

from rasft.models.renderer import Renderer
from rasft.training.preflight.checks import Check


def rendering(renderer: Renderer) -> list[Check]:
    """What ends a turn, where a response begins, the date and the system text."""
    return [_turn_end(renderer), _beginning(renderer), _date(renderer), _system(renderer)]


def _turn_end(renderer: Renderer) -> Check:
    tokens = renderer.tokenizer.convert_ids_to_tokens
    end = renderer.turn.closing + "".join(tokens(list(renderer.turn.end_ids)))
    stops = ", ".join(f"{index} ({tokens(index)})" for index in renderer.stop_token_ids)
    return Check(
        "what ends a turn is supervised, and sampling stops there",
        True,
        f"{end!r} ends a response; sampling stops at {stops}",
        {"stop_token_ids": list(renderer.stop_token_ids)},
    )


def _beginning(renderer: Renderer) -> Check:
    opening, thinking = renderer.opening, renderer.turn.thinking
    where = (
        f"after {opening!r}, which the model writes first" if opening else "where the prompt ends"
    )
    opened = f"; the prompt opens the thinking ({thinking!r}), which has to end" if thinking else ""
    return Check("where an expert's text begins", True, where + opened)


def _date(renderer: Renderer) -> Check:
    rendered = f"{renderer.chat.date} on every day (chat.date)"
    none = "the template renders none"
    return Check("the date in the prompts", True, rendered if renderer.template.has_date else none)


def _system(renderer: Renderer) -> Check:
    is_own = renderer.chat.system_role == "template"
    where = "in a message of its own" if is_own else "before the first user message"
    has_any = any(prompt.system for prompt in renderer.prompts.values())
    return Check("the system text", True, where if has_any else "none")
