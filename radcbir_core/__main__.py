"""``python -m radcbir_core``."""

import sys

from radcbir_core.cli import main

if __name__ == "__main__":
    sys.exit(main())
