package main

import (
	"strings"
	"testing"
)

// familiar has command lines of the Python library with all their flags. docs/migrating.md lists the few that differ.
const familiar = `
deploy --name my-app --region us-east-1 --endpoint-url http://localhost:8000
deploy -n my-app --snapshot-windows hourly,daily --usage-retention-days 90 --audit-retention-days 90
deploy --enable-aggregator --pitr-recovery-days 7 --log-retention-days 30 --lambda-timeout 60 --lambda-memory 256
deploy --no-aggregator --enable-alarms --alarm-sns-topic arn:aws:sns:us-east-1:1:t --lambda-duration-threshold-pct 80
deploy --no-alarms --wait --permission-boundary boundary --role-name-format app-{} --policy-name-format app-{}
deploy --no-wait --enable-audit-archival --audit-archive-glacier-days 90 --enable-tracing --create-iam-roles --iam
deploy --no-audit-archival --no-tracing --no-create-iam-roles --no-iam --aggregator-role-arn arn:aws:iam::1:role/r
deploy --enable-deletion-protection --tag team=search -t stage=dev
deploy --no-deletion-protection
delete --name my-app --region us-east-1 --yes
delete -n my-app --wait -y
delete -n my-app --no-wait
status --name my-app --region us-east-1
list --region us-east-1
version --name my-app
check --name my-app
upgrade --name my-app --lambda-only --force
cfn-template --output template.yaml
cfn-template -o template.yaml
lambda-export --output lambda.zip --info --force
lambda-export -o lambda.zip -f
audit list --entity-id user-123 --limit 10 --namespace default
audit list -e user-123 -l 10 -N default
usage list --entity-id user-123 --resource gpt-4 --window hourly --start 2026-03-01 --end 2026-03-02 --limit 10 --plot
usage list -e user-123 -r gpt-4 -w daily -l 10 -p
usage summary --entity-id user-123 --resource gpt-4 --window daily --start 2026-03-01T00:00:00Z --end 2026-03-02T00:00:00Z
system set-defaults --limit rpm:100 -l tpm:10000 --on-unavailable allow
system get-defaults
system delete-defaults --yes
system delete-defaults -y
resource set-defaults gpt-4 -l rpm:100 --limit tpm:10000
resource get-defaults gpt-4
resource delete-defaults gpt-4 --yes
resource list
entity create user-123 --display-name "User 123" --parent team --cascade
entity create user-123 --no-cascade
entity show user-123
entity set-limits user-123 --resource gpt-4 --limit rpm:100 -l tpm:10000:15000
entity set-limits user-123 -r gpt-4 -l rpm:100/5min:200
entity get-limits user-123 --resource gpt-4
entity delete-limits user-123 -r gpt-4 --yes
entity set-parent user-123 --parent team
entity set-parent user-123 --none
entity list --with-custom-limits gpt-4 --limit 10
namespace register team-a team-b
namespace list
namespace show team-a
namespace delete team-a --yes
namespace recover team-a
namespace purge team-a --yes
limits plan --file limits.yaml
limits plan -f limits.yaml
limits apply -f limits.yaml
limits diff -f limits.yaml
local up --port 8000
local down
local status
`

// TestFamiliarCommands parses them.
func TestFamiliarCommands(t *testing.T) {
	for line := range strings.Lines(familiar) {
		if args := fields(line); len(args) > 0 {
			if err := parses(t, args); err != nil {
				t.Errorf("zae-limiter %s: %v", strings.TrimSpace(line), err)
			}
		}
	}
}
