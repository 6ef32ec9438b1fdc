"""How tests speak of a finished command."""

from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["Outcome", "RunCli"]


@dataclass(frozen=True)
class Outcome:
    """How a command ended."""

    code: int
    stdout: str
    stderr: str

    @property
    def sentence(self) -> str:
        """What a failed command says: all of stderr, after checking that it is one clear line and code 2."""
        assert self.code == 2, self
        assert self.stderr.startswith("blemish: "), self
        assert self.stderr.count("\n") == 1, self
        assert "Traceback" not in self.stderr, self
        return self.stderr.removeprefix("blemish: ").strip()


RunCli = Callable[..., Outcome]
