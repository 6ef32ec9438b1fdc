"""One side of coreset_before.py: for each number of rows that it reads, a line each, the coreset of patches in a file.

It prints one JSON object a line: seconds, processor seconds, and one hash of rows and radii.
"""

import argparse
import hashlib
import json
import sys
import time
from pathlib import Path

import numpy as np

from blemish.memory.coreset import greedy_coreset


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("patches", type=Path, help="patches x dimension, as numpy.save writes them")
    patches_ND = np.load(parser.parse_args().patches)
    for line in sys.stdin:
        wall, processor = time.perf_counter(), time.process_time()
        found = greedy_coreset(patches_ND, int(line))
        seconds, cpu = time.perf_counter() - wall, time.process_time() - processor
        answer = hashlib.sha256(found.indices.tobytes() + found.radii.tobytes()).hexdigest()
        print(json.dumps({"answer": answer, "seconds": seconds, "cpu": cpu}), flush=True)


if __name__ == "__main__":
    main()
