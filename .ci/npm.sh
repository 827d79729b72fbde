#!/usr/bin/env bash
# npm.sh: fetches the declarations of Terraform's AWS provider from npm, in the version and with the hash in
# stack/stacktest/provider.txt, into a folder of the user's cache, which stack/stacktest finds by the hash of that file. Of
# the package, 390 MB, it keeps only the resources and data sources of deploy/terraform. If that fails it says why, and the
# tests say what they skip.
set -euo pipefail
cd "$(dirname "$0")/.."
list=stack/stacktest/provider.txt

complain() {
	echo "npm.sh: cannot fetch the declarations of Terraform's provider: $*: the attributes of deploy/terraform are not checked" >&2
	case ",${ZAE_LIMITER_TEST_REQUIRE:-}," in *,terraform,*) exit 1 ;; esac
	exit 0
}

cache=${XDG_CACHE_HOME:-$HOME/.cache}
[ "$(uname)" != Darwin ] || cache=$HOME/Library/Caches
hash() { if command -v sha256sum >/dev/null; then sha256sum; else shasum -a 256; fi | cut -c 1-12; }
# The kinds are part of the name, because a new kind of resource in the module needs its declaration.
kinds=$(sed -nE 's/^(resource|data) "aws_([a-z0-9_]+)".*/\1 \2/p' deploy/terraform/*.tf | LC_ALL=C sort -u)
folder=$cache/zae-limiter/terraform-$({ cat $list; echo "$kinds"; } | hash)
[ ! -e "$folder/complete" ] || exit 0

command -v npm >/dev/null || complain "npm is missing"
{ read -r package && read -r integrity; } <$list
rm -rf "$folder"
mkdir -p "$folder"
echo "npm.sh: fetching $package into $folder"
(cd "$folder" && npm pack --silent "$package" >/dev/null) || complain "npm pack failed"
archive=$(ls "$folder"/*.tgz)
[ "sha512-$(openssl dgst -sha512 -binary "$archive" | base64 | tr -d '\n')" = "$integrity" ] || complain "the package has another hash"
files=$(echo "$kinds" | sed -e 's/^data /data aws_/' -e 's/^resource //' -e 's/^data /data_/' -e 's|_|-|g' -e 's|.*|package/lib/&/index.d.ts|')
# shellcheck disable=SC2086 # one word a file
tar -xzf "$archive" -C "$folder" --strip-components=2 $files || complain "the provider does not have all of them"
rm "$archive"
touch "$folder/complete"
