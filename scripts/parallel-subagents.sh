#!/bin/sh
# N Haiku workers at once (4).
# The home is the checkout, as with make, unless LANEKEEPER_HOME says otherwise.
#
#   scripts/parallel-subagents.sh [N] [OPTION...]
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd -P)
case ${1:-} in
  '' | -*) size=4 ;;
  *)
    size=$1
    shift
    ;;
esac
exec "$root/bin/lanekeeper" drill parallel --home "${LANEKEEPER_HOME:-$root}" --concurrency "$size" "$@"
