package main

import (
	"os"
	"strings"
	"testing"

	"github.com/zeroae/zae-limiter-go/stack/stacktest"
)

// TestDeployerPolicies evaluates the deployer's policies on all IAM requests of the whole life of a deployment: the calls of
// the command, and those of CloudFormation on its behalf.
func TestDeployerPolicies(t *testing.T) {
	const key = "arn:aws:kms:us-east-1:" + stacktest.Account + ":key/1234"
	for file, deploy := range map[string]string{
		"deployer.json":         "deploy --name my-app --create-iam-roles --enable-tracing --kms-key-arn " + key,
		"deployer-bounded.json": "deploy --name my-app --create-iam-roles --permission-boundary my-app-boundary",
	} {
		t.Run(file, func(t *testing.T) {
			text, err := os.ReadFile("../../deploy/policies/" + file)
			if err != nil {
				t.Fatal(err)
			}
			p := stacktest.ParsePolicy(t, []byte(strings.NewReplacer("REGION", stacktest.Region, "ACCOUNT", stacktest.Account, "NAME", "my-app", "KEY", "1234").Replace(string(text))))
			for _, q := range []stacktest.Request{
				{Action: "dynamodb:DeleteTable", Resource: "arn:aws:dynamodb:us-east-1:123456789012:table/other"},
				{Action: "iam:CreateRole", Resource: "arn:aws:iam::123456789012:role/other"},
				{Action: "iam:PassRole", Resource: "arn:aws:iam::123456789012:role/my-app-aggr"},
				{Action: "s3:DeleteBucket", Resource: "arn:aws:s3:::other"},
			} {
				if p.Allows(t, q) {
					t.Errorf("%s allows %v", file, q)
				}
			}
			c := newCloud(t, stacktest.Options{})
			c.scene(t.Context(),
				deploy, "status --name my-app", "check --name my-app", "deploy --name my-app --pitr-recovery-days 7 --tag team=search --plan",
				"deploy --name my-app --pitr-recovery-days 7 --tag team=search --no-alarms", "upgrade --name my-app",
				"deploy --name my-app --enable-deletion-protection --termination-protection", deleted+" --force --keep-data", deploy,
				deleted, deleted+" --force",
			)
			seen := map[string]bool{}
			for _, q := range c.Authorized() {
				seen[q.Action] = true
				delete(q.Context, stacktest.LeadingKeys) // not all actions support it
				if !p.Allows(t, q) {
					t.Errorf("%s refuses %v", file, q)
				}
			}
			for _, action := range []string{
				"cloudformation:ExecuteChangeSet", "cloudformation:DeleteStack", "cloudformation:UpdateTerminationProtection", "dynamodb:DeleteTable",
				"dynamodb:UpdateItem", "iam:PassRole", "iam:CreatePolicy", "lambda:CreateEventSourceMapping", "s3:PutObject", "s3:DeleteObjectVersion",
			} {
				if !seen[action] {
					t.Errorf("the life asked for no %s", action)
				}
			}
		})
	}
}
