#!/bin/sh
# N fast alternations of Sonnet and Haiku (30).
# The home is the checkout, as with make, unless LANEKEEPER_HOME says otherwise.
#
#   scripts/burst.sh [N] [OPTION...]
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd -P)
case ${1:-} in
  '' | -*) size=30 ;;
  *)
    size=$1
    shift
    ;;
esac
exec "$root/bin/lanekeeper" drill burst --home "${LANEKEEPER_HOME:-$root}" --count "$size" "$@"
