"""The page of the families of models: what was tried on each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from pages_from_code.markdown import table


def page() -> Iterator[str]:
    """What was tried on each family of models: `tests/integration/test_families.py`."""
    from transformers.utils.logging import set_verbosity_error

    from tests.families import FAMILIES, config_of

    set_verbosity_error()  # type: ignore[no-untyped-call]  # tiny configurations are unusual
    yield from (
        "# Model families",
        "",
        "Each family stands here as a tiny random model of its transformers class, whose rows are "
        "longer than its windows and chunks. For each, the tests hold that scores are those of a "
        "plain forward pass (1e-4 nats in float32), that packed and padded rows give the same "
        "gradient or packing is refused in one sentence, that greedy samples are those of "
        "`generate`, that a training starts at the stored reference, and that the trained model "
        "reloads. Another family is tried against its own forward pass when it is loaded, and "
        "refused where it differs.",
        "",
    )
    rows = [_family_row(family, config_of(family)) for family in FAMILIES]
    header = ["family", "class", "attention sees", "positions hold", "packs", "our engine samples"]
    yield from (*table(header, rows), "")
    yield from (
        "`packs`: where not, set `training.packing: false`; scoring and preflight follow it. A "
        "model that samples one at a time does so by its own `generate`; vLLM is the engine for "
        "real work with it. Positions that hold up to the original context (longrope, dynamic "
        "NTK) make that the model's context here: longer rows are dropped and counted.",
        "",
        "Dropout is off in training for all of them (`training.dropout`), so the policy starts "
        "where the stored reference is.",
        "",
    )


def _family_row(family: str, config: Any) -> Sequence[str]:
    import torch
    from transformers import AutoModelForCausalLM

    from rasft.models.language_model import traits_of_model

    with torch.device("meta"):
        made = AutoModelForCausalLM.from_config(config)  # type: ignore[no-untyped-call]
    traits = traits_of_model(made)
    return (
        family,
        f"`{config.model_type}`",
        "a window or chunk" if traits.reach else "all tokens before",
        "up to the original context" if traits.holds_to else "always",
        traits.why_not_packed or "yes",
        "one at a time" if traits.samples_alone else "side by side",
    )
