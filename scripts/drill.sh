#!/bin/sh
# A drill whose size is its first argument; what the scripts beside this one share.
# The home is the checkout, as with make, unless LANEKEEPER_HOME says otherwise.
#
#   scripts/drill.sh NAME SIZE-OPTION DEFAULT [SIZE] [OPTION...]
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd -P)
name=$1
option=$2
size=$3
shift 3
case ${1:-} in
  '' | -*) ;;
  *)
    size=$1
    shift
    ;;
esac
exec "$root/bin/lanekeeper" drill "$name" --home "${LANEKEEPER_HOME:-$root}" "$option" "$size" "$@"
