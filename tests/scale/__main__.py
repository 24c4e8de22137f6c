"""`python -m tests.scale`."""

from tests.scale.run import main

main()
