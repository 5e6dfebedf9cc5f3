#!/bin/sh
# Ends, kills and restarts a proxy on PORT (8082) when its streams have run for SECONDS (5): a proxy of
# its own with the twin behind it, so that nobody's is killed.
#
#   scripts/chaos-restart-mitm.sh [PORT] [SECONDS] [OPTION...]
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd -P)
port=8082
seconds=5
case ${1:-} in
  '' | -*) ;;
  *)
    port=$1
    shift
    case ${1:-} in
      '' | -*) ;;
      *)
        seconds=$1
        shift
        ;;
    esac
    ;;
esac
exec "$root/bin/lanekeeper" drill chaos --home "${LANEKEEPER_HOME:-$root}" --port "$port" --after "$seconds" "$@"
