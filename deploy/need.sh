#!/usr/bin/env bash
# need.sh PACKAGE WHY CHECK...: installs a Debian package, as root, where the command CHECK fails; else one line says what to do.
set -euo pipefail
package=$1 why=$2
shift 2

"$@" >/dev/null 2>&1 && exit
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$package" >/dev/null
else
  echo "$why; install it with: sudo apt-get install $package" >&2
  exit 2
fi
