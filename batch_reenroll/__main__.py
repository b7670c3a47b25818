"""``python -m batch_reenroll``."""

import sys

from batch_reenroll.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
