#!/usr/bin/env bash
# release-check.sh: checks what release.sh promises, on the last commit, for this machine and for one system with a zip:
# two clones give the same bytes, the checksums are right, the unpacked program knows its version, a modified tree is refused,
# users can require the adapters at the version of the tags, and the examples still build.
set -euo pipefail
cd "$(dirname "$0")/.."

if ! git rev-parse --git-dir >/dev/null 2>&1; then
	echo "release-check.sh: not run: a release is built in a git checkout only"
	exit 0
fi
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
complain() {
	echo "release-check.sh: $*" >&2
	exit 1
}

# Windows on 32 bits, which no release has: `make portable` has compiled it.
for clone in one two; do
	git clone -q . "$folder/$clone"
	"$folder/$clone/.ci/release.sh" "$(go env GOHOSTOS)/$(go env GOHOSTARCH)" windows/386 >"$folder/$clone.out"
done
diff -r "$folder/one/dist" "$folder/two/dist" || complain "two clones of one commit give different bytes"

cd "$folder/one"
touch README.new
! .ci/release.sh >/dev/null 2>"$folder/refused" || complain "a modified tree is released"
grep -q 'the tree is modified: commit first' "$folder/refused" || complain "the refusal says: $(cat "$folder/refused")"

cd dist
files=(*)
[ ${#files[@]} -eq 3 ] && [ -s "$(ls zae-limiter_v*_windows_386.zip)" ] || complain "dist has ${files[*]}"
if command -v sha256sum >/dev/null; then sha256sum -c ./*_checksums.txt; else shasum -a 256 -c ./*_checksums.txt; fi
tar xzf ./*.tar.gz
cd zae-limiter_*/
files=(*)
[ "${files[*]}" = 'LICENSE README.md zae-limiter' ] || complain "the archive has ${files[*]}"
said=$(./zae-limiter version)
grep -q 'version  *v' <<<"$said" && grep -q 'modified  *no' <<<"$said" || complain "the version is: $said"

# The tags of a release are of one commit, and a program that requires the adapters builds, without their replace. Whoever
# fetches the module gets the clone; the libraries come from the module cache of this machine where it has them.
export GIT_AUTHOR_NAME=check GIT_AUTHOR_EMAIL=check@example.com GIT_COMMITTER_NAME=check GIT_COMMITTER_EMAIL=check@example.com
version=v0.0.1-check
make -s -C "$folder/two" tag VERSION=$version >"$folder/tags"
cd "$folder/two"
root=$(go list -m)
[ "$(git tag --points-at HEAD | sort)" = "$(sort "$folder/tags")" ] || complain "the tags of HEAD are $(git tag --points-at HEAD)"
! make -s tag VERSION=$version >/dev/null 2>"$folder/refused" || complain "a version is tagged twice"
grep -q "tag $version exists" "$folder/refused" || complain "the refusal says: $(cat "$folder/refused")"
(cd examples && go list -deps ./... >/dev/null) || complain "the examples do not build any more on the commit of the tags"

GOPROXY=file://$(go env GOMODCACHE)/cache/download,$(go env GOPROXY)
export GOPROXY GOMODCACHE=$folder/cache GOFLAGS=-modcacherw GONOPROXY=$root GONOSUMDB=$root
export GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=url.file://$folder/two.insteadOf GIT_CONFIG_VALUE_0=https://$root
mkdir "$folder/user"
cd "$folder/user"
go mod init example.com/user 2>/dev/null
for tag in $(grep / "$folder/tags"); do
	adapter=$root/${tag%/*}
	go get "$adapter@$version" 2>/dev/null || complain "$adapter@$version cannot be required"
	go build "$adapter" || complain "$adapter@$version does not build"
	[ "$(go list -m -f '{{.Version}}' "$root")" = $version ] || complain "$adapter@$version requires $(go list -m "$root")"
done
