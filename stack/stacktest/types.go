package stacktest

import (
	_ "embed" // for types.json
	"encoding/json"
	"slices"
	"strings"
)

// typesText is what CloudFormation's schema of each type of resource has: the properties whose change replaces the resource
// (createOnlyProperties and conditionalCreateOnlyProperties), and the permissions that its handlers use. Source: the schemas of
// August 2026 (aws cloudformation describe-type, which github.com/pulumi/pulumi-aws-native keeps in aws-cloudformation-schema).
//
//go:embed types.json
var typesText []byte

// typeSchema is what is known about a type. Only lists the actions that handlers call only for resources with a property; ""
// means never, in a template of one account and region, whose properties and boundaries stay.
type typeSchema struct {
	Replaces                     []string
	Create, Read, Update, Delete []string
	Only                         map[string][]string
}

var schemas = func() (all map[string]typeSchema) {
	if err := json.Unmarshal(typesText, &all); err != nil {
		panic(err)
	}
	return all
}()

// Replaces returns the properties of a type whose change makes CloudFormation replace the resource, which it refuses if the
// resource keeps its name. It reports whether the type is known.
func Replaces(kind string) (properties []string, known bool) {
	schema, known := schemas[kind]
	return schema.Replaces, known
}

// everywhere lists actions for which IAM knows no resource, or which concern all.
var everywhere = []string{
	"cloudwatch:DescribeAlarms", "kms:ListAliases", "logs:DescribeIndexPolicies", "logs:DescribeLogGroups", "logs:DescribeResourcePolicies",
}

// bounded lists actions that have the role's permissions boundary as a condition key.
var bounded = []string{
	"iam:AttachRolePolicy", "iam:CreateRole", "iam:DeleteRolePermissionsBoundary", "iam:DeleteRolePolicy", "iam:DetachRolePolicy",
	"iam:PutRolePermissionsBoundary", "iam:PutRolePolicy",
}

// HandlerRequests returns what IAM authorizes of CloudFormation's caller for a step of a resource: create, read, update or delete.
func HandlerRequests(step string, r Rendered) (all []Request) {
	schema := schemas[r.Type]
	actions := map[string][]string{
		"create": slices.Concat(schema.Create, schema.Read), "read": schema.Read,
		"update": slices.Concat(schema.Update, schema.Read), "delete": schema.Delete,
	}[step]
	for _, action := range actions {
		if needed(action, r) {
			all = append(all, requestOf(action, r))
		}
	}
	return all
}

// needed reports whether a handler calls an action for a resource with these properties.
func needed(action string, r Rendered) bool {
	for property, patterns := range schemas[r.Type].Only {
		if slices.ContainsFunc(patterns, func(pattern string) bool { return like(pattern, action) }) {
			return r.Properties[property] != nil
		}
	}
	return true
}

// requestOf returns a handler's request, which mostly concerns the resource itself.
func requestOf(action string, r Rendered) Request {
	q := Request{By: "CloudFormation for " + r.Type, Action: action, Resource: strings.TrimSuffix(r.ARN, ":*")}
	service, _, _ := strings.Cut(action, ":")
	property := func(names ...string) string { return text(at(r.Properties, names...)) }
	function := property("FunctionName")
	switch {
	case action == "lambda:CreateEventSourceMapping":
		q.Resource = "*"
		return q.With("lambda:FunctionArn", function)
	case slices.Contains(everywhere, action):
		q.Resource = "*"
	case r.Type == "AWS::Lambda::EventSourceMapping":
		q.Resource = strings.Split(function, ":function:")[0] + ":event-source-mapping:00000000-0000-4000-8000-000000000000"
		if strings.HasSuffix(action, "Mapping") { // and not one about tags
			return q.With("lambda:FunctionArn", function)
		}
	case slices.Contains(bounded, action) && property("PermissionsBoundary") != "":
		return q.With("iam:PermissionsBoundary", property("PermissionsBoundary"))
	case action == "iam:PassRole":
		q.Resource = property("Role")
		return q.With("iam:PassedToService", "lambda.amazonaws.com")
	case service == "s3" && r.Type == functionKind:
		q.Resource = "arn:" + strings.Split(r.ARN, ":")[1] + ":s3:::" + property("Code", "S3Bucket") + "/" + property("Code", "S3Key")
	case service == "kms":
		q.Resource = property("SSESpecification", "KMSMasterKeyId")
	}
	return q
}
