#!/usr/bin/env bash
# node.sh: installs the npm packages of the tests, in the versions of the lock file, into a folder of the user's cache, which
# stack/stacktest finds by the hash of that file. If that fails it says why, and the tests say what they skip.
set -euo pipefail
cd "$(dirname "$0")/.."
list=stack/stacktest/simulate

complain() {
	echo "node.sh: cannot install iam-simulate: $*: the tests of policies are skipped" >&2
	case ",${ZAE_LIMITER_TEST_REQUIRE:-}," in *,iam-simulate,*) exit 1 ;; esac
	exit 0
}

cache=${XDG_CACHE_HOME:-$HOME/.cache}
[ "$(uname)" != Darwin ] || cache=$HOME/Library/Caches
hash() { if command -v sha256sum >/dev/null; then sha256sum "$1"; else shasum -a 256 "$1"; fi | cut -c 1-12; }
folder=$cache/zae-limiter/node-$(hash $list/package-lock.json)
[ ! -e "$folder/complete" ] || exit 0

command -v node >/dev/null || complain "node is missing"
command -v npm >/dev/null || complain "npm is missing"
rm -rf "$folder"
mkdir -p "$folder"
cp $list/package.json $list/package-lock.json "$folder"
echo "node.sh: installing @cloud-copilot/iam-simulate into $folder"
(cd "$folder" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >/dev/null) || complain "npm ci failed"
touch "$folder/complete"
