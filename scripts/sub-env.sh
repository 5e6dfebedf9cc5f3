# Makes this shell use the proxy of the checkout. To be sourced, by bash or zsh:
#
#   . scripts/sub-env.sh [PORT]
#
# The home is the checkout, as with make, unless LANEKEEPER_HOME says otherwise.

if [ -n "${BASH_VERSION:-}" ]; then
  lanekeeper_file=$BASH_SOURCE
elif [ -n "${ZSH_VERSION:-}" ]; then
  eval 'lanekeeper_file=${(%):-%x}'
else
  lanekeeper_file=scripts/sub-env.sh
fi
lanekeeper_root=$(CDPATH='' cd -- "$(dirname -- "$lanekeeper_file")/.." && pwd -P)

if [ -n "${BASH_VERSION:-}" ] && [ "$lanekeeper_file" = "$0" ]; then
  echo "sub-env.sh: source it: . $lanekeeper_file [PORT]" >&2
  exit 1
fi

# Without an argument of its own, a sourced file sees those of its caller: only a port is taken.
case ${1:-} in
  '' | *[!0-9]*) lanekeeper_port= ;;
  *) lanekeeper_port=$1 ;;
esac
lanekeeper_lines=$("$lanekeeper_root/bin/lanekeeper" env \
  --home "${LANEKEEPER_HOME:-$lanekeeper_root}" ${lanekeeper_port:+"$lanekeeper_port"}) &&
  eval "$lanekeeper_lines"
lanekeeper_status=$?
unset lanekeeper_file lanekeeper_root lanekeeper_port lanekeeper_lines
# The status of the last command is that of the sourcing.
eval "unset lanekeeper_status; (exit $lanekeeper_status)"
