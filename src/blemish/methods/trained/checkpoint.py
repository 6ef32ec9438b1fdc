"""The state of a training after its last whole epoch, in one safetensors file without pickle.

Networks are tensors `NETWORK.NAME`, the optimisers' moments `OPTIMIZER/PARAMETER/NAME`; the metadata holds each
epoch's loss and says what was being trained, so that no training goes on with another's state.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from blemish.errors import ModelFileError
from blemish.system.whole_file import write_whole

if TYPE_CHECKING:
    from blemish.methods.trained.trainee import Learner

__all__ = ["Checkpoint"]


@dataclass(frozen=True)
class Checkpoint:
    """Where the state is kept, and a name for what is trained: method, settings, images."""

    path: Path
    trains: str

    def restore(self, learner: "Learner") -> list[float]:
        """Put the kept state into a learner and return the losses so far; empty where nothing is kept yet.

        Raises ModelFileError for a file that is damaged, or the state of another training.
        """
        if not self.path.exists():
            return []
        try:
            with safe_open(self.path, framework="pt") as file:
                kept = file.metadata() or {}
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118, no mapping
            losses = [float(loss) for loss in json.loads(kept["losses"])]
            trains = kept["trains"]
        except (SafetensorError, OSError, KeyError, ValueError) as error:
            raise ModelFileError(
                f"{self.path} is no training state, or it is damaged ({error}); delete it to train from the start."
            ) from None
        if trains != self.trains:
            raise ModelFileError(
                f"{self.path} keeps the training of another model (method, options or images differ); "
                "delete it to train from the start, or repeat that model's command."
            )
        for name, network in learner.networks.items():
            network.load_state_dict(_under(tensors, f"{name}."))
        for name, optimizer in learner.optimizers.items():
            optimizer.load_state_dict(optimizer.state_dict() | {"state": _moments(_under(tensors, f"{name}/"))})
        return losses

    def keep(self, learner: "Learner", losses: list[float]) -> None:
        """Write the state, whole or not at all."""
        tensors = {
            f"{name}.{key}": tensor.contiguous()
            for name, network in learner.networks.items()
            for key, tensor in network.state_dict().items()
        } | {
            f"{name}/{parameter}/{key}": tensor.contiguous()
            for name, optimizer in learner.optimizers.items()
            for parameter, moments in optimizer.state_dict()["state"].items()
            for key, tensor in moments.items()
        }
        content = save(tensors, metadata={"trains": self.trains, "losses": json.dumps(losses)})
        try:
            write_whole(self.path, content)
        except OSError as error:
            raise ModelFileError(f"{self.path} could not be written: {error.strerror or error}.") from None


def _under(tensors: dict[str, Any], prefix: str) -> dict[str, Any]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def _moments(tensors: dict[str, Any]) -> dict[int, dict[str, Any]]:
    """The optimiser's state by parameter number, as torch holds it."""
    state: dict[int, dict[str, Any]] = {}
    for name, tensor in tensors.items():
        parameter, key = name.split("/")
        state.setdefault(int(parameter), {})[key] = tensor
    return state
