"""Lengths of real training sequences, and sequences of random tokens that have them.

Every 94th row of MATH (12,000 rows: its training split and the test problems outside MATH-500;
Hendrycks et al., arXiv 2103.03874, MIT licence): tokens of problem and of solution with its end, by
SmolLM2's tokenizer, which as Qwen2.5's makes each digit a token.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from rasft.records import TrainingExample

Lengths = Sequence[tuple[int, int]]  # prompt, response; tokens

# fmt: off
MATH: Lengths = (
    (114, 142), (25, 97), (68, 142), (36, 94), (36, 67), (47, 126), (32, 119), (43, 213),
    (49, 103), (34, 994), (423, 177), (59, 49), (51, 72), (60, 66), (89, 252), (40, 93),
    (102, 135), (42, 87), (54, 816), (488, 201), (57, 120), (29, 150), (28, 36), (56, 268),
    (53, 129), (32, 81), (35, 167), (331, 474), (202, 495), (52, 146), (60, 76), (44, 163),
    (77, 517), (141, 722), (71, 309), (455, 146), (48, 154), (53, 179), (67, 753), (54, 586),
    (83, 267), (87, 128), (44, 102), (97, 222), (32, 695), (166, 678), (56, 85), (52, 94),
    (239, 1152), (89, 394), (60, 263), (15, 128), (44, 150), (15, 142), (19, 352), (70, 242),
    (55, 207), (48, 286), (16, 47), (28, 91), (37, 128), (32, 119), (32, 59), (41, 238),
    (41, 149), (68, 93), (48, 156), (34, 256), (39, 47), (37, 59), (27, 94), (58, 65),
    (60, 728), (90, 729), (85, 591), (38, 325), (43, 126), (133, 434), (105, 103), (32, 245),
    (22, 44), (46, 126), (39, 236), (24, 84), (50, 226), (31, 137), (27, 162), (39, 123),
    (53, 108), (120, 208), (51, 132), (80, 144), (79, 184), (114, 440), (48, 84), (224, 89),
    (254, 196), (19, 73), (494, 975), (362, 664), (61, 84), (86, 235), (99, 633), (41, 455),
    (49, 201), (190, 890), (51, 343), (108, 355), (38, 314), (27, 167), (33, 98), (73, 267),
    (82, 317), (22, 113), (31, 79), (57, 67), (41, 145), (22, 62), (42, 100), (23, 168),
    (37, 58), (55, 59), (30, 73), (33, 233), (45, 248), (104, 153), (71, 201), (11, 37),
)
# fmt: on
TOY: Lengths = ((7, 20), (3, 9), (11, 40), (2, 5), (6, 31))


def sequences(lengths: Lengths, vocabulary: int, seed: int = 0) -> list[TrainingExample]:
    """Random tokens of these lengths, with weights and reference log-probs as RASFT's have."""
    draw = random.Random(seed)
    return [
        TrainingExample(
            problem_id=f"p{number}",
            sample_index=-1,
            input_ids=tuple(draw.choices(range(3, vocabulary), k=prompt + response)),
            prompt_tokens=prompt,
            weight=draw.choice([0.1, 0.5, 1.0]),
            reference_logps=tuple(-8 - 4 * draw.random() for _ in range(response)),
        )
        for number, (prompt, response) in enumerate(lengths)
    ]
