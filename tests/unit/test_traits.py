"""What a model's configuration says of how its rows may be read."""

from __future__ import annotations

from typing import Any

import pytest

from rasft.config.settings import TrainingConfig
from rasft.models.traits import Traits, traits_of
from rasft.training.preflight.reading import how_rows_are_read
from rasft.training.storage.jobs import TrainingJob

LONGROPE = {"type": "longrope", "short_factor": [1.0], "long_factor": [4.0]}
PHI = {"rope_scaling": LONGROPE, "original_max_position_embeddings": 4096}


@pytest.mark.parametrize(
    ("config", "traits"),
    [
        ({"model_type": "llama", "rope_scaling": {"rope_type": "llama3"}}, Traits()),
        ({"sliding_window": 4096}, Traits(reach=4096)),
        ({"sliding_window": 4096, "use_sliding_window": False}, Traits()),
        ({"sliding_window": 4096, "layer_types": ["full_attention"]}, Traits()),
        ({**PHI, "max_position_embeddings": 131072}, Traits(holds_to=4096)),
        (
            {"rope_parameters": {"rope_type": "dynamic"}, "max_position_embeddings": 2048},
            Traits(holds_to=2048),
        ),
        ({"layer_types": ["linear_attention", "full_attention"]}, Traits(carries_state=True)),
        ({"model_type": "nemotron_h", "hybrid_override_pattern": "M*"}, Traits(carries_state=True)),
        ({"text_config": {"attn_logit_softcapping": 50.0}}, Traits(scores_changed=True)),
    ],
)
def test_traits(config: dict[str, Any], traits: Traits) -> None:
    assert traits_of(config) == traits


@pytest.mark.parametrize(
    ("config", "changes", "said"),
    [
        (PHI, {}, "up to 4096 tokens"),
        ({"sliding_window": 512}, {}, "in some layers 512 tokens, of rows up to 900"),
        ({"layer_types": ["conv"]}, {"packing": False}, "carry a state from token to token"),
        ({}, {"dropout": True}, "as the model's configuration says"),
        ({}, {}, "off (training.dropout)"),
    ],
)
def test_preflight_says_what_it_means_for_the_rows(
    config: dict[str, Any], changes: dict[str, Any], said: str
) -> None:
    job = TrainingJob("model", TrainingConfig(**changes), "float32", seed=0)
    lines = [check.line() for check in how_rows_are_read(job, config, longest=900)]
    assert len(lines) == 4
    assert any(said in line for line in lines)
