"""Commands of onsei, one after another: what each of several processes runs that were launched together."""

import json
import sys

from onsei import cli

for words in json.loads(sys.argv[1]):
    if status := cli.main(words):
        sys.exit(status)
