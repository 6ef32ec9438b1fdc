"""Names for the array types that travel between the rooms, and the legend of shape suffixes.

The name of an array ends with its shape: `patches_ND` is N rows of D numbers, `map_HW` is H rows of W pixels. A digit
is a fixed length, as in `counts_2GU`. The letters:

    N   training images or training patches, whichever the function is about
    K   rows of the memory bank; as the last letter of a search's result (`best_QK`), neighbours of each query
    Q   query patches, those of the image under inspection
    D   numbers in a patch, in text written d
    P   places of the grid in methods that treat each place apart; elsewhere positions, or pixels of a thumbnail
    HW  height and width of an image or map in pixels; in text, h x w is the grid of patches
    T   frames of a clip
    M   good images held out from the memory; in kernels, axes; in covariances, members of a fold
    C   candidates, the patches kept for the day an image is removed
    A   patches among which candidates are looked for
    F   patches farther than a radius; in `packed_PF`, numbers in a packed triangle
    R   resamples of a bootstrap; elsewhere rows picked out of a larger array
    S   samples of an evaluation; in kernels, numbers in a sketch; elsewhere a sample of rows
    U   distinct scores, descending
    G   groups, the parts that several images may show
    W   alone after N (`shorts_NW`): numbers in a short vector
    B   vectors of a training batch
    V   turned views of one image
"""

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float32]
"""Patches, distances, maps: float32."""
Doubles: TypeAlias = NDArray[np.float64]
"""Squared distances, statistics and bounds: float64."""
Ints: TypeAlias = NDArray[np.int64]
"""Row numbers and counts: int64."""
Bools: TypeAlias = NDArray[np.bool_]
"""Masks and choices."""
Bytes: TypeAlias = NDArray[np.uint8]
"""Pixels as most files hold them: uint8."""
Array: TypeAlias = NDArray[Any]
"""An array whose type is stated where it is used."""
