"""Commands, run in this process, and what they answer."""

from __future__ import annotations

from typing import NamedTuple

from onsei import cli


class Answer(NamedTuple):
    """What a command answered."""

    status: int
    out: str
    err: str


def command(capsys, *words):
    """Run ``onsei`` with these words; what was printed before is dropped."""
    capsys.readouterr()
    try:
        status = cli.main([str(word) for word in words])
    except SystemExit as left:
        status = left.code
    return Answer(status, *capsys.readouterr())


def assert_refused(answer, *words):
    """One message on stderr that holds ``words``, status 2, no traceback."""
    assert answer.status == 2, answer
    assert "Traceback" not in answer.err + answer.out
    for word in words:
        assert str(word) in answer.err
    assert answer.err.count("onsei: ") == 1, answer.err
