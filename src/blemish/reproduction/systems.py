"""The systems that the paper compares: each a method with the settings that its paper, or the table, gives it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any

__all__ = ["CAVGA", "DIFFERNET", "GANOMALY", "NEAREST", "PADIM", "SPADE", "System", "patchcore"]


@dataclass(frozen=True)
class System:
    """A row's name, what is fitted for it, and the network behind the paper's figure."""

    name: str
    method: str
    paper_network: str
    options: Mapping[str, Any] = field(default_factory=dict)
    drawn: bool = True
    """Whether a seed changes what is fitted on given images."""
    trained: bool = False
    """Whether it is trained, which takes the extra [torch] and has schedules."""
    network: str | None = None
    """Its own network, where it does not take the run's backbone."""

    @property
    def missing(self) -> str | None:
        """Why it cannot be run here, and what installs it; None where it can."""
        if self.trained and find_spec("torch") is None:
            return "not run: training needs torch; pip install 'blemish[torch]'"
        return None


def patchcore(percent: int) -> System:
    """PatchCore that keeps this share of the patches, in per cent, with the one look of the paper."""
    return System(f"PatchCore-{percent}", "patchcore", "WideResNet-50", {"coreset": percent / 100, "effort": "quick"})


SPADE = System("SPADE", "spade", "WideResNet-50", drawn=False)
PADIM = System("PaDiM", "padim", "WideResNet-50", {"resize": "stretch"})
"""It compares place by place, and so needs one aspect."""
NEAREST = System("1-NN", "1-nn", "unknown", drawn=False)
DIFFERNET = System("DifferNet", "differnet", "AlexNet", trained=True)
GANOMALY = System("GANomaly", "ganomaly", "its own", trained=True, network="its own")
CAVGA = System("CAVGA-R_u", "cavga", "ResNet-18", trained=True, network="its own")
