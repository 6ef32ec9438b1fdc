"""The doctor: what is wrong with a data set, or with this installation."""

import os
from typing import Any, overload

from blemish.diagnosis.data_set import Examination, examine_data
from blemish.diagnosis.installation import examine_installation
from blemish.system.progress import Shown

__all__ = ["doctor"]


@overload
def doctor(data: None = None, *, progress: Shown = None) -> dict[str, Any]: ...
@overload
def doctor(data: str | os.PathLike[str], *, progress: Shown = None) -> Examination: ...
def doctor(data: str | os.PathLike[str] | None = None, *, progress: Shown = None) -> dict[str, Any] | Examination:
    """Examine a data set before fitting; without one, this installation.

    Args:
        data: A folder of good images, a data set in the MVTec AD layout or with good/ and defective/, or a CSV.
        progress: None shows bars or lines on stderr, False nothing; a function is called with step, done and total.

    Returns:
        Of a data set, an Examination: findings, each with what to do, and the groups proposed. Of the installation, a
        dict: versions, providers, threads, folders, and `problems` in sentences, empty where all is well.

    Raises:
        DataError: There is no data set to look at.
    """
    return examine_installation() if data is None else examine_data(data, progress=progress)
