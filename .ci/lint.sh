#!/usr/bin/env bash
# lint.sh: runs every linter over the modules: go mod tidy, golangci-lint with go vet, gofumpt, bash -n for scripts. All of
# them run even if one complains. The module of the tools has no code, so that compiling them is its check.
set -uo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root"
tool() { go tool -modfile="$root/tools/go.mod" "$@"; }

verdict=0
complain() {
	printf 'lint: %s\n' "$*"
	verdict=1
}

for module in . bench/peers examples grpclimit otellimit; do
	cd "$root/$module" || exit
	go mod tidy -diff || complain "$module/go.mod: go mod tidy cures it"
	tool golangci-lint run --allow-parallel-runners ./... || complain "$module: golangci-lint"
done

cd "$root"
loose=$(tool gofumpt -l .) || complain "gofumpt"
[ -z "$loose" ] || complain "not formatted, make fmt cures it:" $loose
for script in .ci/run .ci/*.sh; do
	bash -n "$script" || complain "$script"
done
exit "$verdict"
