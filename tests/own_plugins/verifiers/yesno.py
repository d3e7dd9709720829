"""The last yes or no of a response."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Self

from rasft.records import Status
from rasft.verifiers import Judgement, Submission


def build(settings: Mapping[str, Any]) -> "YesNo":
    """The verifier; it has no settings."""
    return YesNo()


class YesNo:
    """Compares words."""

    name, version = "yesno", "1"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def judge(self, submissions: Iterable[Submission]) -> Iterator[Judgement]:
        """Yield a judgement for each submission, in order."""
        for each in submissions:
            said = re.findall(r"\b(yes|no)\b", each.response.lower()) or [""]
            right = said[-1] == each.problem.answer
            yield Judgement(Status.CORRECT if right else Status.INCORRECT, said[-1])
