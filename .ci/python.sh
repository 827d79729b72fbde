#!/usr/bin/env bash
# python.sh: installs what tests use of Python's packages, into a folder of the user's cache that stack/stacktest finds
# by the hash of the list. Where that cannot be done it says so; the tests say then what they skip.
set -euo pipefail
cd "$(dirname "$0")/.."
list=stack/stacktest/requirements.txt

complain() {
	echo "python.sh: $*: the tests on moto and cfn-lint are skipped" >&2
	case ",${ZAE_LIMITER_TEST_REQUIRE:-}," in *,moto,* | *,cfn-lint,*) exit 1 ;; esac
	exit 0
}

cache=${XDG_CACHE_HOME:-$HOME/.cache}
[ "$(uname)" != Darwin ] || cache=$HOME/Library/Caches
hash() { if command -v sha256sum >/dev/null; then sha256sum "$1"; else shasum -a 256 "$1"; fi | cut -c 1-12; }
folder=$cache/zae-limiter/python-$(hash $list)
[ ! -e "$folder/complete" ] || exit 0

command -v python3 >/dev/null || complain "there is no python3"
rm -rf "$folder"
mkdir -p "$(dirname "$folder")"
echo "python.sh: installing moto and cfn-lint into $folder"
python3 -m venv "$folder" >/dev/null || complain "python3 -m venv fails (on Debian, install python3-venv)"
"$folder/bin/pip" install -q --disable-pip-version-check --no-input -r $list || complain "pip failed"
touch "$folder/complete"
