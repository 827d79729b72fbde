#!/usr/bin/env bash
# python.sh: installs the Python packages of the tests into a folder of the user's cache, which stack/stacktest finds by the
# hash of the list of packages. If that fails it says why, and the tests say what they skip.
set -euo pipefail
cd "$(dirname "$0")/.."
list=stack/stacktest/requirements.txt

complain() {
	echo "python.sh: cannot install moto and cfn-lint: $*: their tests are skipped" >&2
	case ",${ZAE_LIMITER_TEST_REQUIRE:-}," in *,moto,* | *,cfn-lint,*) exit 1 ;; esac
	exit 0
}

cache=${XDG_CACHE_HOME:-$HOME/.cache}
[ "$(uname)" != Darwin ] || cache=$HOME/Library/Caches
hash() { if command -v sha256sum >/dev/null; then sha256sum "$1"; else shasum -a 256 "$1"; fi | cut -c 1-12; }
folder=$cache/zae-limiter/python-$(hash $list)
[ ! -e "$folder/complete" ] || exit 0

command -v python3 >/dev/null || complain "python3 is missing"
rm -rf "$folder"
mkdir -p "$(dirname "$folder")"
echo "python.sh: installing moto and cfn-lint into $folder"
python3 -m venv "$folder" >/dev/null || complain "python3 -m venv fails (on Debian, install python3-venv)"
"$folder/bin/pip" install -q --disable-pip-version-check --no-input -r $list || complain "pip failed"
touch "$folder/complete"
