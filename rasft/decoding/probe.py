"""The fixed greedy probe: does an engine write what a checkpoint would?

The engine writes some tokens greedily after a fixed prompt. The checkpoint reads prompt and tokens
in one pass, without a cache: each token must be its own first choice, or as good as it up to the
rounding of the dtype.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rasft.decoding.engine import Request, Sampling

REQUEST = Request(prompt_ids=tuple(range(3, 19)), seed=0)  # ids that every vocabulary has
GREEDY = Sampling(temperature=0.0, top_p=1.0, max_new_tokens=16)
TOLERANCE = {"float32": 1e-3, "bfloat16": 0.3, "float16": 0.05}  # of a logit


def agrees(model: str, written: Sequence[int], dtype: str) -> bool:
    """Whether these are the checkpoint's own greedy tokens after the prompt of `REQUEST`."""
    # Seconds of import, which a process that asks for no samples is to be spared.
    import torch
    from transformers import AutoModelForCausalLM

    from rasft.models.language_model import DTYPES

    loaded: Any = AutoModelForCausalLM.from_pretrained(model, dtype=DTYPES[dtype])
    loaded.eval()
    prompt = len(REQUEST.prompt_ids)
    with torch.inference_mode():
        logits = loaded(torch.tensor([[*REQUEST.prompt_ids, *written]])).logits[0].float()
    before = logits[prompt - 1 : -1]  # what each written token was chosen from
    chosen = before.gather(1, torch.tensor(written)[:, None])[:, 0]
    return bool((before.amax(dim=1) - chosen <= TOLERANCE[dtype]).all())
