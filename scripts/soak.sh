#!/bin/sh
# Sonnet and Haiku in turn, for so many minutes (30).
# The home is the checkout, as with make, unless LANEKEEPER_HOME says otherwise.
#
#   scripts/soak.sh [MINUTES] [OPTION...]
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd -P)
case ${1:-} in
  '' | -*) size=30 ;;
  *)
    size=$1
    shift
    ;;
esac
exec "$root/bin/lanekeeper" drill soak --home "${LANEKEEPER_HOME:-$root}" --minutes "$size" "$@"
