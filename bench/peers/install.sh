#!/bin/sh
# Fetches what the bench compares with: Debian's packages where this is root on Debian, npm's into this folder.
set -eu
cd "$(dirname "$0")"

if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  for program in nginx:nginx haproxy:haproxy mitmdump:mitmproxy; do
    command -v "${program%:*}" >/dev/null && continue
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${program#*:}" ||
      echo "${program#*:} could not be installed" >&2
  done
else
  echo 'not root on Debian: nginx, haproxy and mitmproxy are measured only where they are installed' >&2
fi
npm install --prefix . --no-audit --no-fund --loglevel=error mockttp@4.6.5 http-mitm-proxy@1.1.0
