package stack

import (
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/zeroae/zae-limiter-go/stack/stacktest"
)

// The permissions boundary allows everything that the policies of the stack's roles allow, without their conditions, and Lambda's
// decryption of the function's variables.
func TestBoundaryPolicy(t *testing.T) {
	resources, g := placed(t, true), &grants{}
	for _, name := range append(managed(resources), "AggregatorRole") {
		for _, s := range policyOf(t, resources, name).Statement {
			for _, action := range s.Action {
				for _, resource := range s.Resource {
					g.add(about(request{Action: action, Resource: resource}), action)
				}
			}
		}
	}
	all := append(g.statements(), statement{
		Sid: "Variables", Effect: "Allow", Action: []string{"kms:Decrypt"}, Resource: []string{"*"},
		Condition: map[string]any{"StringLike": map[string]any{"kms:ViaService": "lambda.us-east-1.*"}},
	})
	policyFile(t, "boundary.json", all)
}

// filled returns a policy of deploy/policies with values for its placeholders.
func filled(t *testing.T, name string) []byte {
	t.Helper()
	text, err := os.ReadFile("../deploy/policies/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return []byte(strings.NewReplacer("REGION", stacktest.Region, "ACCOUNT", stacktest.Account, "NAME", app, "KEY", "1234abcd").Replace(string(text)))
}

// The boundary does not restrict the stack's roles, but whoever can create policies cannot grant more than it allows.
func TestBoundary(t *testing.T) {
	t.Parallel()
	boundary := stacktest.ParsePolicy(t, filled(t, "boundary.json"))
	parameters := allOn()
	parameters[paramBucket] = "zae-app-0123"
	resources, asked := rendered(t, parameters), asked(t)
	policies := map[string]policy{}
	for _, name := range append(managed(resources), "AggregatorRole") {
		policies[name] = policyOf(t, resources, name)
	}
	ask := func(name string, q request) {
		t.Helper()
		if !boundary.Allows(t, q) && policies[name].Allows(t, q) {
			t.Errorf("below the boundary %s no longer allows %v", name, q)
		}
	}
	for _, requests := range asked {
		for _, q := range requests {
			for _, name := range managed(resources) {
				ask(name, asCallerOf("team", q))
			}
		}
	}
	functions := slices.Concat(bookedRequests(t), polled(resources), traced, decrypted)
	for _, q := range functions {
		ask("AggregatorRole", q)
	}
	variables := request{Action: "kms:Decrypt", Resource: "arn:aws:kms:us-east-1:123456789012:key/of-lambda"}
	for service, want := range map[string]bool{"lambda.us-east-1.amazonaws.com": true, "s3.us-east-1.amazonaws.com": false} {
		q := variables.With("kms:ViaService", service)
		if boundary.Allows(t, q) != want {
			t.Errorf("decrypting through %s is allowed: %v", service, !want)
		}
	}
	for _, q := range foreign {
		if q.Action == "dynamodb:Scan" {
			continue // for administrators
		}
		if boundary.Allows(t, q) {
			t.Errorf("the boundary allows %v", q)
		}
	}
}

// The bounded deployer's policy only allows to create roles with that boundary.
func TestBoundedDeployer(t *testing.T) {
	t.Parallel()
	const boundary = "arn:aws:iam::" + stacktest.Account + ":policy/app-boundary"
	bounded := []string{"iam:CreateRole", "iam:PutRolePolicy", "iam:AttachRolePolicy"}
	for file, isBounded := range map[string]bool{"deployer.json": false, "deployer-bounded.json": true} {
		p := stacktest.ParsePolicy(t, filled(t, file))
		for _, with := range []string{boundary, "arn:aws:iam::aws:policy/AdministratorAccess", ""} {
			parameters := allOn()
			parameters[paramBoundary], parameters[paramBucket] = with, "zae-app-0123"
			resources := rendered(t, parameters)
			for _, name := range slices.Sorted(maps.Keys(resources)) {
				for _, q := range stacktest.HandlerRequests("create", resources[name]) {
					want := !isBounded || with == boundary || !slices.Contains(bounded, q.Action)
					if got := p.Allows(t, q); got != want {
						t.Errorf("%s, with the boundary %q: %v is allowed: %v", file, with, q, got)
					}
				}
			}
		}
	}
}
