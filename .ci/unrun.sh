#!/usr/bin/env bash
# unrun.sh FOLDER: what was skipped, by the logs of gotestsum in a folder, and why where it was for want of a DynamoDB,
# of moto, of cfn-lint or of iam-simulate; nothing if nothing was.
set -uo pipefail
cat "$1"/*.json 2>/dev/null | grep '"Action":"skip".*"Test":' |
	sed 's/.*"Package":"\([^"]*\)".*"Test":"\([^"/]*\).*/\1 \2/' | sort | uniq -c |
	awk '{print "  skipped: " $2 " " $3 ($1 > 1 ? " (" $1 " times)" : "")}'
# Each package that found none has said so, with the same reason.
cat "$1"/*.json 2>/dev/null | grep -oE '"Output":"(dynamotest|stacktest): not run: [^"]*' |
	sed -E 's/.*: (no [A-Za-z-]+ for tests)/  \1/; s/\\n$//' | sort -u
exit 0
