#!/bin/sh
# Prints the versions of everything involved and writes VERSIONS.json. The home is the checkout, as
# with make, unless LANEKEEPER_HOME says otherwise.
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd -P)
exec "$root/bin/lanekeeper" versions --home "${LANEKEEPER_HOME:-$root}" "$@"
