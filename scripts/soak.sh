#!/bin/sh
# Sonnet and Haiku in turn, for so many minutes (30).
#
#   scripts/soak.sh [MINUTES] [OPTION...]
exec "$(dirname -- "$0")/drill.sh" soak --minutes 30 "$@"
