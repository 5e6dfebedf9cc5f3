#!/bin/sh
# N fast alternations of Sonnet and Haiku (30).
#
#   scripts/burst.sh [N] [OPTION...]
exec "$(dirname -- "$0")/drill.sh" burst --count 30 "$@"
