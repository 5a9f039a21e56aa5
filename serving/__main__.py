"""`python -m serving [--flag=value ...]` starts the local model server."""

import sys

from serving.local.main import main

sys.exit(main(sys.argv[1:]))
