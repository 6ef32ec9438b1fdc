"""Makes the model file of the newest format that tests/test_golden.py loads for ever after.

Run it once when the format gets a new number, and keep the files of the older ones:

    python tests/golden/make.py
"""

import json
import sys
from pathlib import Path

import blemish
from blemish.model.manifest import FORMAT

FOLDER = Path(__file__).parent
sys.path.insert(0, str(FOLDER.parent))


def main() -> None:
    from parts import good_part, scratched_part

    detector = blemish.fit([good_part(seed) for seed in range(6)], size=64, taps=[1], coreset=40, folds=3)
    detector.save(FOLDER / f"format-{FORMAT}.blemish")
    scores = {
        "good": [detector.inspect(good_part(seed)).score for seed in (10, 11)],
        "defective": [detector.inspect(scratched_part(seed).grey).score for seed in (10, 11)],
    }
    (FOLDER / f"format-{FORMAT}.json").write_text(json.dumps(scores, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
