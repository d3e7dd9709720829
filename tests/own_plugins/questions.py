"""Yes-or-no questions: what the plugins beside this module share."""

from collections.abc import Iterator

from rasft.records import Problem


def questions(source: str, first: int, count: int) -> Iterator[Problem]:
    """Sums that are right, and sums that are not."""
    for number in range(first, first + count):
        told = number + 7 + number % 2
        answer = "no" if number % 2 else "yes"
        yield Problem(
            id=f"{source}/{number}",
            prompt=f"Is {number} plus 7 the same as {told}?",
            verifier="yesno",
            expert_response=f"{number} plus 7 is {number + 7}. The answer is {answer}.",
            answer=answer,
            source=source,
        )
