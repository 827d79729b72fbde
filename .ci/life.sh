#!/usr/bin/env bash
# life.sh: runs the compiled program through a whole life on an embedded store, with calls that must fail. Each call is a
# process of its own, so that what a later one sees was stored.
set -euo pipefail
cd "$(dirname "$0")/.."

home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
CGO_ENABLED=0 go build -trimpath -tags=lambda.norpc -o "$home/zae-limiter" ./cmd/zae-limiter # as a release
PATH=$home:$PATH
store=bolt://$home/life.db
export ZAE_LIMITER_STORE=$store NO_COLOR=1
unset ZAE_LIMITER_NAME ZAE_LIMITER_NAMESPACE

passed=0 failed=0
out=$home/out err=$home/err
last=

pass() { passed=$((passed + 1)); }
fail() {
	failed=$((failed + 1))
	printf 'life: %s: %s\n' "$last" "$1"
	sed 's/^/  out: /' "$out"
	sed 's/^/  err: /' "$err"
}

# expect CODE COMMAND…: the command ends with the code.
expect() {
	local want=$1 code=0
	shift
	last=$*
	"$@" >"$out" 2>"$err" </dev/null || code=$?
	if [ "$code" -eq "$want" ]; then pass; else fail "exit code $code, not $want"; fi
}
# prints REGEXP, says REGEXP: the last command's standard output, its standard error has a match.
prints() { if grep -qE -- "$1" "$out"; then pass; else fail "standard output has no $1"; fi; }
says() { if grep -qE -- "$1" "$err"; then pass; else fail "standard error has no $1"; fi; }
# silent: the last command wrote nothing to standard output.
silent() { if [ ! -s "$out" ]; then pass; else fail "standard output is not empty"; fi; }
# json: standard output looks like one JSON document.
json() {
	if [ "$(head -c 1 "$out")" = "{" ] && [ "$(tail -n 1 "$out" | tail -c 2 | head -c 1)" = "}" ]; then
		pass
	else
		fail "standard output is not a JSON object"
	fi
}

z=zae-limiter

# Without a store: help, versions, and mistakes in the command line.
expect 0 $z --help
prints 'acquire'
prints 'system'
expect 0 $z version
prints '[a-z0-9]'
expect 0 $z acquire --help
prints 'zae-limiter acquire'
expect 2 $z acqire user-1 gpt-4 -c rpm=1
says 'acquire'
silent
expect 2 $z acquire user-1
expect 2 $z acquire user-1 gpt-4 -c rpm
expect 2 $z acquire user-1 gpt-4 -c rpm=-1 -l rpm:2/day
expect 2 $z acquire user-1 gpt-4 -c rpm=1 -l rpm
expect 2 $z acquire user-1 gpt-4 -c rpm=1 -l rpm:0
expect 2 $z acquire user-1 gpt-4 -c rpm=1 -l rpm:10/fortnight
says 'fortnight'
expect 2 $z acquire $'user\x01' gpt-4 -c rpm=1 -l rpm:2/day
expect 2 $z acquire user-1 gpt-4 -c tpm=1 -l rpm:2/day
says 'tpm'
expect 2 $z --store nosuch://x acquire user-1 gpt-4 -c rpm=1 -l rpm:2/day
echo "not a folder" >"$home/file"
expect 5 $z --store "bolt://$home/file/x.db" acquire user-1 gpt-4 -c rpm=1 -l rpm:2/day

# Read-only commands create nothing.
expect 4 $z system get-defaults
expect 4 $z entity show user-1
expect 0 $z resource list
last="read-only commands"
if [ ! -e "$home/life.db" ]; then pass; else fail "created the store's file"; fi

# Two calls are admitted, one is denied, and a reset fills the bucket.
expect 0 $z acquire user-1 gpt-4 -c rpm=1 -l rpm:2/day
expect 0 $z acquire user-1 gpt-4 -c rpm=1 -l rpm:2/day
expect 3 $z acquire user-1 gpt-4 -c rpm=1 -l rpm:2/day
says 'rpm'
expect 3 $z acquire user-1 gpt-4 -c rpm=3 -l rpm:2/day
expect 0 $z acquire user-2 gpt-4 -c rpm=2 -l rpm:2/day
expect 3 $z acquire user-1 gpt-4 -c rpm=1 -l rpm:2/day -o json
json
prints 'rpm'
expect 0 $z available user-1 gpt-4 -l rpm:2/day
prints 'rpm'
expect 0 $z reset user-1 gpt-4
says 'life\.db'
expect 4 $z reset nobody gpt-4
says 'no bucket'
expect 0 $z acquire user-1 gpt-4 -c rpm=2 -l rpm:2/day

# Stored limits: what is set is found, the most specific level applies, what is deleted is absent.
expect 0 $z system set-defaults -l rpm:1000 -l tpm:10000
says 'life\.db'
expect 0 $z system get-defaults
prints 'rpm.*1,?000'
expect 0 $z system get-defaults -o json
json
expect 0 $z resource set-defaults gpt-4 -l rpm:50/day -l tpm:100000
expect 0 $z resource get-defaults gpt-4
prints 'rpm.*50'
expect 0 $z resource list
prints 'gpt-4'
expect 0 $z --output json resource list
json
expect 4 $z resource get-defaults gpt-9
expect 0 $z entity set-limits user-premium --resource gpt-4 -l rpm:3/day -l tpm:500000
expect 0 $z entity get-limits user-premium --resource gpt-4
prints 'rpm.*3'
expect 4 $z entity get-limits user-premium --resource gpt-9
expect 0 $z entity set-limits user-premium --resource embeddings -l rpm:5/day
expect 0 $z resource list --with-entity-limits
prints 'embeddings'
expect 0 $z entity delete-limits user-premium --resource embeddings --yes
expect 0 $z resource list --with-entity-limits
last="a resource whose last limits were deleted"
if ! grep -q embeddings "$out"; then pass; else fail "is listed still"; fi
expect 2 $z entity disable user-premium
says 'not supported yet'
expect 2 $z entity set-limits user-premium -l rpm:1 --soft
says 'not supported yet'
expect 0 $z explain user-premium gpt-4
prints 'entity'
prints 'rpm'
expect 0 $z explain user-3 gpt-4
prints 'resource'
expect 0 $z explain user-3 other
prints 'system'
expect 0 $z acquire user-premium gpt-4 -c rpm=3 -c tpm=1000
expect 3 $z acquire user-premium gpt-4 -c rpm=1
expect 2 $z acquire user-premium gpt-4 -c nosuch=1
expect 0 $z available user-premium gpt-4 -o json
json
prints 'tpm'

# A command under a lease: its exit code is returned, it does not start when denied, and one that cannot be started consumes
# nothing. The store is free while the command runs.
expect 7 $z acquire cmd-1 gpt-4 -c rpm=1 -l rpm:2/day -- sh -c 'echo ran; exit 7'
prints '^ran$'
expect 0 $z entity set-limits cmd-2 --resource jobs -l n:1/day
expect 127 $z acquire cmd-2 jobs -c n=1 -- "$home/no-such-command"
expect 0 $z acquire cmd-2 jobs -c n=1 -- $z available cmd-2 jobs
prints 'n'
expect 3 $z acquire cmd-2 jobs -c n=1 -- touch "$home/started"
says 'n'
last="a denied command"
if [ ! -e "$home/started" ]; then pass; else fail "was started"; fi

# Waiting for tokens that come in time, and not for those that come later or never.
expect 0 $z acquire patient api -c rpm=1 -l rpm:20/s:1 --override
expect 0 $z acquire patient api -c rpm=1 -l rpm:20/s:1 --override --wait 10s
expect 3 $z acquire patient slow -c rpm=2 -l rpm:1/day --override --wait 10s
says 'never'
expect 0 $z acquire patient slow -c rpm=1 -l rpm:1/day --override
expect 3 $z acquire patient slow -c rpm=1 -l rpm:1/day --override --wait 10s
says 'retry after 2[34]h'

# Entities, and a parent that is charged with its child.
expect 0 $z entity create team
expect 0 $z entity create team/ann --parent team --cascade
expect 1 $z entity create team
expect 0 $z entity show team/ann
prints 'team'
expect 0 $z entity list
prints 'team/ann'
expect 0 $z entity children team
prints 'team/ann'
expect 0 $z entity set-limits team --resource jobs -l n:1/day
expect 0 $z entity set-limits team/ann --resource jobs -l n:5/day
expect 0 $z acquire team/ann jobs -c n=1
expect 3 $z acquire team/ann jobs -c n=1
expect 1 $z entity delete team --yes
expect 0 $z entity delete team/ann --yes
expect 0 $z entity delete team --yes
expect 4 $z entity show team

# Namespaces do not see each other; a deleted one cannot be used until it is recovered, and a purged one is gone.
expect 4 $z -N blue system set-defaults -l n:1/day
expect 0 $z namespace register blue
expect 0 $z -N blue system set-defaults -l n:1/day
expect 4 $z system get-defaults -N nosuch
expect 0 $z -N blue acquire ann jobs -c n=1
expect 3 $z -N blue acquire ann jobs -c n=1
expect 1 $z namespace delete blue
expect 0 $z namespace delete blue --yes
expect 4 $z -N blue acquire ann jobs -c n=1
expect 0 $z namespace recover blue
expect 3 $z -N blue acquire ann jobs -c n=1
expect 0 $z namespace delete blue --yes
expect 0 $z namespace purge blue --yes
expect 4 $z namespace show blue

# Changes are in the audit log, and the store answers.
expect 0 $z audit list -o json
json
prints 'limits_set'
prints 'namespace_purged'
expect 0 $z audit list --system
prints 'namespace_purged'
expect 0 $z audit list --resource gpt-4
prints 'user-premium'
expect 0 $z audit list --entity-id team/ann --limit 2
prints 'entity_deleted'
# Usage is recorded; that of a deleted entity is deleted with it.
expect 0 $z usage summary --entity-id user-premium --window daily -o json
json
prints '"rpm": 3'
expect 0 $z usage list --entity-id team/ann
last="usage of a deleted entity"
if ! grep -q 'team/ann' "$out"; then pass; else fail "is there still"; fi
expect 0 $z status
prints 'life\.db'
expect 2 $z --store dynamodb://my-app/x status
expect 5 env AWS_MAX_ATTEMPTS=1 $z --name my-app --endpoint-url http://127.0.0.1:1 status
prints 'exists +unknown'
prints 'schema +unknown'
expect 2 $z local up --name gw
says '--name "gw"'
expect 5 $z --name my-app --endpoint-url http://127.0.0.1:1 system get-defaults
says "127.0.0.1:1"

# Infrastructure: what works without AWS, and what happens if AWS does not answer.
expect 0 $z cfn-template
prints 'AWS::DynamoDB::Table'
expect 0 $z lambda-export --info
prints 'sha256'
expect 0 $z lambda-export -o "$home/lambda.zip"
says 'lambda\.zip'
expect 1 $z lambda-export -o "$home/lambda.zip"
says '--force'
expect 0 $z lambda-export -o "$home/again.zip"
last="lambda-export twice"
if cmp -s "$home/lambda.zip" "$home/again.zip"; then pass; else fail "other bytes"; fi
expect 2 $z deploy --name my_app
says '--name'
expect 2 $z deploy --name my-app --usage-retention-days 0
expect 2 $z --store memory: deploy
expect 1 $z delete --name my-app
says '--yes'
for command in list check upgrade 'delete --yes' 'deploy --no-aggregator'; do
	# shellcheck disable=SC2086
	expect 5 env AWS_ACCESS_KEY_ID=x AWS_SECRET_ACCESS_KEY=x AWS_MAX_ATTEMPTS=1 $z $command --region us-east-1 --endpoint-url http://127.0.0.1:1
	says '127\.0\.0\.1:1/? does not answer'
	silent
done

# Many processes at once: the whole limit is admitted, and no more.
expect 0 $z entity set-limits crowd --resource jobs -l n:5/day
pids=()
for _ in 1 2 3 4 5 6 7 8; do
	$z acquire crowd jobs -c n=1 >/dev/null 2>&1 &
	pids+=($!)
done
admitted=0 denied=0
for pid in "${pids[@]}"; do
	code=0
	wait "$pid" || code=$?
	[ "$code" -ne 0 ] || admitted=$((admitted + 1))
	[ "$code" -ne 3 ] || denied=$((denied + 1))
done
last="8 processes at a limit of 5"
if [ "$admitted $denied" = "5 3" ]; then pass; else fail "$admitted admitted, $denied denied"; fi

# Deletion: rejected without --yes, then done; deleting what is absent changes nothing.
expect 0 $z system set-defaults --on-unavailable allow
prints 'rpm.*1,?000'
prints 'allow'
expect 1 $z system delete-defaults
expect 0 $z system get-defaults
expect 0 $z system delete-defaults --yes
expect 4 $z system get-defaults
expect 0 $z system set-defaults --on-unavailable block
prints 'block'
expect 0 $z system delete-defaults --yes
expect 0 $z resource delete-defaults gpt-4 --yes
expect 4 $z resource get-defaults gpt-4
expect 0 $z entity delete-limits user-premium --resource gpt-4 --yes
expect 4 $z entity get-limits user-premium --resource gpt-4

# Compaction rewrites the file without losing anything. Other stores have no file, and a missing file is an error.
expect 0 $z acquire last api -c n=1 -l n:2/day
expect 0 $z compact
says 'compacted from .* in bolt://.*life\.db'
silent
last="compact"
if [ ! -e "$home/life.db.compact" ]; then pass; else fail "left a file behind"; fi
expect 0 $z acquire last api -c n=1 -l n:2/day
expect 3 $z acquire last api -c n=1 -l n:2/day
expect 4 $z --store "bolt://$home/none.db" compact
expect 2 $z --store memory: compact
expect 2 $z --name my-app compact

printf 'life: %d passed, %d failed\n' "$passed" "$failed"
[ "$failed" -eq 0 ]
