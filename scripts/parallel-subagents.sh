#!/bin/sh
# N Haiku workers at once (4).
#
#   scripts/parallel-subagents.sh [N] [OPTION...]
exec "$(dirname -- "$0")/drill.sh" parallel --concurrency 4 "$@"
