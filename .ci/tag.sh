#!/usr/bin/env bash
# tag.sh VERSION ADAPTER…: tags the last commit as a release: VERSION for the root, ADAPTER/VERSION for each adapter. Before
# that, it commits that the adapters require the root at VERSION, and so the examples, which use them. Their replace serves
# development, and users' builds ignore it. Pushes nothing.
set -euo pipefail
cd "$(dirname "$0")/.."
version=${1-}
shift || true

complain() {
	echo "tag.sh: $*" >&2
	exit 1
}
[[ $version =~ ^v[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.-]+)?$ ]] || complain "invalid version \"$version\": give one such as v0.1.0"
[ -z "$(git status --porcelain)" ] || complain "the tree is modified: commit first"
tags=("$version" "${@/%//$version}")
for tag in "${tags[@]}"; do
	! git rev-parse -q --verify "refs/tags/$tag" >/dev/null || complain "tag $tag exists: take the next version"
done

root=$(go list -m)
for folder in "$@" examples; do
	go mod edit -require="$root@$version" "$folder/go.mod"
done
git diff --quiet || git commit -qam "release: require $version of the root in the adapters"
for tag in "${tags[@]}"; do
	git tag -m "$tag" "$tag"
done
printf '%s\n' "${tags[@]}"
