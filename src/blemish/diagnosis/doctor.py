"""The doctor: what is wrong with a data set, or with this installation."""

import os
from typing import Any, Literal, overload

from blemish.diagnosis.data_set import Examination, examine_data
from blemish.diagnosis.installation import examine_installation
from blemish.images.rules import Rules
from blemish.options.settings import Resources, checked, make_settings
from blemish.system.progress import Shown

__all__ = ["doctor", "rules_of"]


@overload
def doctor(data: None = None, *, progress: Shown = None) -> dict[str, Any]: ...
@overload
def doctor(
    data: str | os.PathLike[str],
    *,
    recursive: bool = False,
    accept_damaged: bool = False,
    max_pixels: int | None = None,
    nodata: float | Literal["auto"] = "auto",
    progress: Shown = None,
) -> Examination: ...
def doctor(
    data: str | os.PathLike[str] | None = None,
    *,
    recursive: bool = False,
    accept_damaged: bool = False,
    max_pixels: int | None = None,
    nodata: float | Literal["auto"] = "auto",
    progress: Shown = None,
) -> dict[str, Any] | Examination:
    """Examine a data set before fitting; without one, this installation.

    Args:
        data: A folder of good images, a data set in the MVTec AD layout or with good/ and defective/, or a CSV.
        recursive: Read the folders inside a folder of good images, too.
        accept_damaged: Read files that are damaged, as far as they can be, instead of naming them.
        max_pixels: Pixels of the largest image that is read; None: 179 million.
        nodata: Value of float pixels that were not measured; "auto": recognised.
        progress: None shows bars or lines on stderr, False nothing; a function is called with step, done and total.

    Returns:
        Of a data set, an Examination: findings, each with what to do, and the groups proposed. Of the installation, a
        dict: versions, providers, threads, folders, and `problems` in sentences, empty where all is well.

    Raises:
        DataError: There is no data set to look at.
        OptionError: A value is none that can be given.
    """
    if data is None:
        return examine_installation()
    rules = rules_of(accept_damaged=accept_damaged, max_pixels=max_pixels, nodata=nodata)
    return examine_data(data, rules=rules, recursive=recursive, progress=progress)


def rules_of(*, accept_damaged: bool, max_pixels: int | None, nodata: float | str | None) -> Rules:
    """How images are read, of what was given as options. Raises OptionError."""
    resources = checked(Resources, {"accept_damaged": accept_damaged, "max_pixels": max_pixels})
    mark = make_settings(**({} if nodata is None else {"nodata": nodata})).nodata
    return Rules.of(accept_damaged=resources.accept_damaged, max_pixels=resources.max_pixels, nodata=mark)
