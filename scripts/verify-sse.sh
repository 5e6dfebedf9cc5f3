#!/bin/sh
# One stream of each lane, compared with what was sent. The home is the checkout, as with make, unless
# LANEKEEPER_HOME says otherwise.
#
#   scripts/verify-sse.sh [OPTION...]
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd -P)
exec "$root/bin/lanekeeper" verify sse --home "${LANEKEEPER_HOME:-$root}" "$@"
