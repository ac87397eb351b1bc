#!/bin/sh
# need.sh PACKAGE...: installs what is missing of these Debian packages. Without the right to, it prints the command
# that would and stops.
set -eu
missing=
for p in "$@"; do
	case $(dpkg-query -W -f '${db:Status-Status}' "$p" 2>/dev/null || true) in
	installed*) ;;
	*) missing="$missing $p" ;;
	esac
done
[ -n "$missing" ] || exit 0

if ! command -v apt-get >/dev/null; then
	echo "need.sh: this is not Debian: install yourself what these packages of Debian 12 hold:$missing" >&2
	exit 1
fi
if [ "$(id -u)" = 0 ]; then
	sudo=
elif command -v sudo >/dev/null && { sudo -n true 2>/dev/null || { [ -t 0 ] && [ -t 2 ]; }; }; then
	sudo=sudo
else
	echo "need.sh: packages are missing. As root, run:" >&2
	echo "    apt-get update && apt-get install --no-install-recommends -y$missing" >&2
	exit 1
fi
echo "Installing$missing"
$sudo apt-get update -q
# shellcheck disable=SC2086 # a list of words
$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -q --no-install-recommends -y $missing
