package stacktest

import (
	_ "embed" // for types.json
	"encoding/json"
	"slices"
	"strings"
)

// typesText is what AWS publishes about each type of resource, in its CloudFormation schema: the properties whose change replaces
// the resource (createOnlyProperties and conditionalCreateOnlyProperties, which its documentation calls "Update requires:
// Replacement"), and the permissions that its handlers use. Source: the schemas of August 2026 (aws cloudformation
// describe-type, which github.com/pulumi/pulumi-aws-native keeps in aws-cloudformation-schema).
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
	"cloudwatch:DescribeAlarms", "kms:ListAliases", "lambda:CreateEventSourceMapping", "logs:DescribeIndexPolicies",
	"logs:DescribeLogGroups", "logs:DescribeResourcePolicies",
}

// bounded lists actions that have the role's permissions boundary as a condition key.
var bounded = []string{
	"iam:AttachRolePolicy", "iam:CreateRole", "iam:DeleteRolePermissionsBoundary", "iam:DeleteRolePolicy", "iam:DetachRolePolicy",
	"iam:PutRolePermissionsBoundary", "iam:PutRolePolicy",
}

// HandlerRequests returns what IAM authorizes while CloudFormation creates, reads, updates or deletes a resource, which it does
// with the permissions of its caller. The step is create, read, update or delete.
func HandlerRequests(step string, r Rendered) (all []Request) {
	schema := schemas[r.Type]
	actions := map[string][]string{
		"create": append(slices.Clone(schema.Create), schema.Read...), "read": schema.Read,
		"update": append(slices.Clone(schema.Update), schema.Read...), "delete": schema.Delete,
	}[step]
	for _, action := range actions {
		if needed(action, r) && !slices.ContainsFunc(all, func(q Request) bool { return q.Action == action }) {
			all = append(all, requestOf(action, r))
		}
	}
	return all
}

func needed(action string, r Rendered) bool {
	for property, patterns := range schemas[r.Type].Only {
		if slices.ContainsFunc(patterns, func(p string) bool { return like(p, action) }) {
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
	partition, _, _ := strings.Cut(strings.TrimPrefix(r.ARN, "arn:"), ":")
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
		q.Resource = "arn:" + partition + ":s3:::" + property("Code", "S3Bucket") + "/" + property("Code", "S3Key")
	case service == "kms":
		q.Resource = property("SSESpecification", "KMSMasterKeyId")
	}
	return q
}
