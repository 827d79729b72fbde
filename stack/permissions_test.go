package stack

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/zeroae/zae-limiter-go/stack/stacktest"
)

// tableRows returns the rows of all tables with a heading on a page.
func tableRows(page string, heading ...string) (rows [][]string) {
	inside := false
	for line := range strings.Lines(page) {
		line = strings.TrimSpace(line)
		if !strings.HasPrefix(line, "|") {
			inside = false
			continue
		}
		var cells []string
		for _, cell := range strings.Split(strings.Trim(line, "|"), "|") {
			cells = append(cells, strings.TrimSpace(cell))
		}
		if inside && !strings.HasPrefix(cells[0], "---") {
			rows = append(rows, cells)
		}
		inside = inside || slices.Equal(cells, heading)
	}
	return rows
}

// places maps the page's words for the resource of a permission.
func places(resources map[string]stacktest.Rendered) map[string]string {
	table := resources[resourceTable].ARN
	return map[string]string{
		table: "table", table + "/index/GSI1": "index", table + "/stream/2026-03-04T05:06:07.000": "stream", "*": "everything", testKey: "key",
		resources["AggregatorLogs"].ARN: "log group", resources["AggregatorDLQ"].ARN: "queue", resources[resourceBucket].ARN + "/audit/*": "archive",
	}
}

// permission is a line of the page: a role, an action, a resource, and whether there is a condition.
func permission(who string, actions, about []string, conditional bool) string {
	actions, about = slices.Clone(actions), slices.Clone(about)
	slices.Sort(actions)
	slices.Sort(about)
	text := fmt.Sprintf("%s may %s on %s", who, strings.Join(actions, ", "), strings.Join(about, ", "))
	if conditional {
		text += " under a condition"
	}
	return text
}

// permitted returns the permissions in the template. Permissions that depend on an option count as conditional.
func permitted(t *testing.T) (lines []string) {
	t.Helper()
	resources, plain := rendered(t, allOn()), rendered(t, nil)
	words := places(resources)
	for _, name := range append(managed(resources), "AggregatorRole") {
		who := "NAME-aggr"
		if resources[name].Type == "AWS::IAM::ManagedPolicy" {
			who = strings.Replace(fmt.Sprint(resources[name].Properties["ManagedPolicyName"]), app, "NAME", 1)
		}
		always := policyOf(t, plain, name)
		for _, s := range policyOf(t, resources, name).Statement {
			var about []string
			for _, arn := range s.Resource {
				if words[arn] == "" {
					t.Errorf("%s is about %s, for which the page has no word", name, arn)
				}
				about = append(about, words[arn])
			}
			option := name == "AggregatorRole" && !slices.ContainsFunc(always.Statement, func(of stacktest.Statement) bool { return of.Sid == s.Sid })
			lines = append(lines, permission(who, s.Action, about, option || len(s.Condition) > 0))
		}
	}
	return lines
}

// The page lists exactly the permissions in the template, each with a reason, the roles, and the services that a deployer needs.
func TestPermissionsPage(t *testing.T) {
	text, err := os.ReadFile("../docs/permissions.md")
	if err != nil {
		t.Fatal(err)
	}
	list := func(cell string) []string {
		return strings.Split(strings.ReplaceAll(cell, "`", ""), ", ")
	}
	var told []string
	for _, kind := range []string{"policy", "role"} {
		for _, row := range tableRows(string(text), kind, "action", "on", "only", "why") {
			told = append(told, permission(list(row[0])[0], list(row[1]), list(row[2]), row[3] != ""))
			if row[4] == "" {
				t.Errorf("%v has no reason", row)
			}
		}
	}
	want := permitted(t)
	slices.Sort(told)
	slices.Sort(want)
	if diff := cmp.Diff(want, told); diff != "" {
		t.Errorf("docs/permissions.md (-template +page):\n%s", diff)
	}

	resources := rendered(t, allOn())
	var roles []string
	for _, name := range slices.Sorted(maps.Keys(resources)) {
		if r := resources[name]; r.Type == "AWS::IAM::Role" {
			roles = append(roles, strings.Replace(r.ID, app, "NAME", 1)+" by "+assumedBy(t, r)+" has "+attached(resources, r))
		}
	}
	var toldRoles []string
	for _, row := range tableRows(string(text), "role", "assumed by", "has", "created", "why") {
		toldRoles = append(toldRoles, strings.ReplaceAll(row[0]+" by "+row[1]+" has "+row[2], "`", ""))
	}
	slices.Sort(roles)
	slices.Sort(toldRoles)
	if diff := cmp.Diff(roles, toldRoles); diff != "" {
		t.Errorf("docs/permissions.md (-template +page):\n%s", diff)
	}

	services, toldServices := map[string]bool{}, map[string]bool{}
	for _, s := range stacktest.ParsePolicy(t, filled(t, "deployer.json")).Statement {
		for _, action := range s.Action {
			service, _, _ := strings.Cut(action, ":")
			services[service] = true
		}
	}
	for _, row := range tableRows(string(text), "service", "why") {
		for _, service := range list(row[0]) {
			toldServices[service] = true
		}
	}
	if diff := cmp.Diff(services, toldServices); diff != "" {
		t.Errorf("docs/permissions.md (-deployer.json +page):\n%s", diff)
	}
}

// assumedBy returns who may assume a role.
func assumedBy(t *testing.T, r stacktest.Rendered) string {
	t.Helper()
	var trust struct {
		Statement []struct {
			Effect, Action string
			Principal      map[string]string
		}
	}
	text, err := json.Marshal(r.Properties["AssumeRolePolicyDocument"])
	if err == nil {
		err = json.Unmarshal(text, &trust)
	}
	if err != nil || len(trust.Statement) != 1 || trust.Statement[0].Action != "sts:AssumeRole" || len(trust.Statement[0].Principal) != 1 {
		t.Fatalf("%s: %v, %+v", r.ID, err, trust)
	}
	if trust.Statement[0].Principal["AWS"] == "arn:aws:iam::"+stacktest.Account+":root" {
		return "the account"
	}
	return trust.Statement[0].Principal["Service"]
}

// attached returns the policy of a role.
func attached(resources map[string]stacktest.Rendered, r stacktest.Rendered) string {
	for _, of := range resources {
		if arns, _ := r.Properties["ManagedPolicyArns"].([]any); len(arns) == 1 && arns[0] == of.ARN {
			return strings.Replace(fmt.Sprint(of.Properties["ManagedPolicyName"]), app, "NAME", 1)
		}
	}
	return "the permissions above"
}
