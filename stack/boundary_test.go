package stack

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"path"
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

const testKeyID = "1234abcd"

// filled returns a policy of deploy/policies with values for its placeholders.
func filled(t *testing.T, name string) []byte {
	t.Helper()
	return filledFor(t, name, app, stacktest.Region)
}

// filledFor fills in a policy as docs/permissions.md says.
func filledFor(t *testing.T, file, name, region string) []byte {
	t.Helper()
	text, err := os.ReadFile("../deploy/policies/" + file)
	if err != nil {
		t.Fatal(err)
	}
	inBucket := strings.ToLower(name)
	return []byte(strings.NewReplacer(
		bucketPrefix+"NAME", bucketPrefix+inBucket[:min(len(inBucket), maxNameInBucket)],
		"REGION", region, "ACCOUNT", stacktest.Account, "NAME", name, "KEY", testKeyID,
	).Replace(string(text)))
}

// policyFiles are the files in deploy/policies.
var policyFiles = []string{"deployer.json", "deployer-bounded.json", "boundary.json"}

// The policies allow the bucket of their deployment, and not that of another whose name begins in the same way.
func TestPolicyBuckets(t *testing.T) {
	t.Parallel()
	const long = "Rate-Limiter-Of-The-Search-Team-In-Production-Europe"
	for _, file := range policyFiles {
		for _, name := range []string{app, "App", long} {
			for _, other := range []string{name, name[:len(name)-1], name + "-x", name + "-production"} {
				bucket, fits := "arn:aws:s3:::"+bucketName(stacktest.Account, stacktest.Region, other), 0
				for _, s := range stacktest.ParsePolicy(t, filledFor(t, file, name, stacktest.Region)).Statement {
					for _, resource := range s.Resource {
						pattern, _, _ := strings.Cut(resource, "/")
						if fit, err := path.Match(pattern, bucket); strings.HasPrefix(pattern, "arn:aws:s3:::") && (fit || err != nil) {
							fits++
						}
					}
				}
				if sameStart := bucketStart(other) == bucketStart(name); (fits > 0) != sameStart {
					t.Errorf("%s of %s has %d patterns that fit the bucket of %s", file, name, fits, other)
				}
			}
		}
	}
}

// bucketStart returns the name of a stack's bucket without the digest.
func bucketStart(name string) string {
	bucket := bucketName(stacktest.Account, stacktest.Region, name)
	return bucket[:len(bucket)-digestLength]
}

// The policies are not too long for IAM: as managed policies with names of 20 characters, and inline in a role with all names.
func TestPolicySizes(t *testing.T) {
	t.Parallel()
	for _, file := range policyFiles {
		for _, c := range []struct {
			name, region, partition string
			most                    int
		}{
			{strings.Repeat("a", 20), "ap-southeast-2", "arn:aws:", mostInPolicy},
			{strings.Repeat("a", 53), "us-gov-west-1", "arn:aws-us-gov:", mostInRole},
		} {
			var short bytes.Buffer
			if err := json.Compact(&short, filledFor(t, file, c.name, c.region)); err != nil {
				t.Fatal(err)
			}
			text := strings.NewReplacer("arn:aws:", c.partition, testKeyID, "12345678-1234-1234-1234-123456789012").Replace(short.String())
			if len(text) > c.most {
				t.Errorf("%s has %d characters for %s in %s, of %d at most", file, len(text), c.name, c.region, c.most)
			}
		}
	}
}

// The boundary does not restrict the stack's roles, but whoever can create policies cannot grant more than it allows.
func TestBoundary(t *testing.T) {
	t.Parallel()
	boundary := stacktest.ParsePolicy(t, filled(t, "boundary.json"))
	parameters := allOn()
	parameters[paramBucket] = bucketName(stacktest.Account, stacktest.Region, app)
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
			parameters[paramBoundary], parameters[paramBucket] = with, bucketName(stacktest.Account, stacktest.Region, app)
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
