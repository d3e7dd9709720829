"""Does an engine write what a checkpoint would?

The fixed greedy probe: the engine writes some tokens greedily after a fixed prompt. The checkpoint
reads prompt and tokens in one pass, without a cache: each token must be its own first choice, or as
good as it up to the rounding of the dtype.

An engine with quantised weights is another sampler, so that nothing must agree. What it says of the
tokens that it drew is compared with what the checkpoint says of them.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

from rasft.decoding.engine import Completion, Request, Sampling
from rasft.errors import UserError

REQUEST = Request(prompt_ids=tuple(range(3, 19)), seed=0)  # ids that every vocabulary has
GREEDY = Sampling(temperature=0.0, top_p=1.0, max_new_tokens=16)
TOLERANCE = {"float32": 1e-3, "bfloat16": 0.3, "float16": 0.05}  # of a logit

# While transformers loads a model, no model of the process ties its weights. Two loads at once can
# each put back what the other has changed, and every later model would lack its tied head.
_ALONE = threading.Lock()


def agrees(model: str, written: Sequence[int], dtype: str) -> bool:
    """Whether these are the checkpoint's own greedy tokens after the prompt of `REQUEST`."""
    with _ALONE:
        chosen_from, chosen = _logits(_load(model, dtype), REQUEST.prompt_ids, written)
    return bool((chosen_from.amax(dim=1) - chosen <= TOLERANCE[dtype]).all())


def effect(
    model: str, drawn: Sequence[tuple[Request, Completion]], dtype: str
) -> tuple[int, float, float]:
    """Tokens drawn, and how far their log-probs are from the checkpoint's: mean, largest, nats.

    Raises UserError where the engine gave no log-probs.
    """
    with _ALONE:
        loaded = _load(model, dtype)
    differences: list[float] = []
    for request, completion in drawn:
        if len(completion.logps) != len(completion.token_ids):
            raise UserError("the engine does not say the log-probs of what it draws")
        chosen_from, chosen = _logits(loaded, request.prompt_ids, completion.token_ids)
        own = (chosen - chosen_from.logsumexp(dim=1)).tolist()
        differences += [abs(a - b) for a, b in zip(own, completion.logps, strict=True)]
    return len(differences), sum(differences) / len(differences), max(differences)


def _load(model: str, dtype: str) -> Any:
    # Seconds of import, which a process that asks for no samples is to be spared.
    from transformers import AutoModelForCausalLM

    from rasft.models.language_model import DTYPES

    loaded: Any = AutoModelForCausalLM.from_pretrained(model, dtype=DTYPES[dtype])
    return loaded.eval()


def _logits(loaded: Any, prompt: Sequence[int], written: Sequence[int]) -> tuple[Any, Any]:
    """What each written token was chosen from (tokens, vocabulary), and its own (tokens,)."""
    import torch

    with torch.inference_mode():
        logits = loaded(torch.tensor([[*prompt, *written]])).logits[0].float()
    before = logits[len(prompt) - 1 : -1]
    return before, before.gather(1, torch.tensor(written)[:, None])[:, 0]
