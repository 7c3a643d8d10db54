"""Run as a folder: `python core/tests/fuzz`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from fuzz.command import main

sys.exit(main())
