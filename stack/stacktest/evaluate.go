package stacktest

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// Account and Region are those of everything here, except what is rendered for another region.
const (
	Account = "123456789012"
	Region  = "us-east-1"
)

// partition returns the partition of a region, and the suffix of its URLs.
func partition(region string) (name, suffix string) {
	switch {
	case strings.HasPrefix(region, "cn-"):
		return "aws-cn", "amazonaws.com.cn"
	case strings.HasPrefix(region, "us-gov-"):
		return "aws-us-gov", "amazonaws.com"
	}
	return "aws", "amazonaws.com"
}

// scope is what the expressions of a template are evaluated in.
type scope struct {
	*template
	stack, region string
	values        map[string]string // of parameters and pseudo parameters
}

func newScope(t *template, stack, region string, parameters map[string]string) *scope {
	values := maps.Clone(parameters)
	values["AWS::Partition"], values["AWS::URLSuffix"] = partition(region)
	values["AWS::Region"], values["AWS::AccountId"], values["AWS::StackName"] = region, Account, stack
	return &scope{t, stack, region, values}
}

// absent is the value of a property that is AWS::NoValue.
type absent struct{}

// holds reports whether a condition holds; "" always does.
func (s *scope) holds(condition string) bool {
	return condition == "" || s.evaluate(s.Conditions[condition]) == any(true)
}

// evaluate returns the value of an expression: map[string]any, []any or a scalar. It knows the functions that the project's
// template uses.
func (s *scope) evaluate(v any) any {
	switch v := v.(type) {
	case []any:
		all := []any{}
		for _, item := range v {
			if item = s.evaluate(item); item != any(absent{}) {
				all = append(all, item)
			}
		}
		return all
	case map[string]any:
		all := map[string]any{}
		for key, item := range v {
			if len(v) == 1 && (key == "Ref" || key == "Condition" || strings.HasPrefix(key, "Fn::")) {
				return s.call(key, item)
			}
			if item = s.evaluate(item); item != any(absent{}) {
				all[key] = item
			}
		}
		return all
	}
	return v
}

var expression = regexp.MustCompile(`\$\{[^!}][^}]*\}`)

func (s *scope) call(function string, argument any) any {
	list, _ := argument.([]any)
	isFalse := func(v any) bool { return s.evaluate(v) != any(true) }
	switch function {
	case "Ref", "Fn::GetAtt":
		return s.named(text(argument))
	case "Condition":
		return s.holds(text(argument))
	case "Fn::Sub":
		filled := expression.ReplaceAllStringFunc(text(argument), func(name string) string { return text(s.named(name[2 : len(name)-1])) })
		return strings.ReplaceAll(filled, "${!", "${")
	case "Fn::If":
		if s.holds(text(list[0])) {
			return s.evaluate(list[1])
		}
		return s.evaluate(list[2])
	case "Fn::Equals":
		return text(s.evaluate(list[0])) == text(s.evaluate(list[1]))
	case "Fn::Not":
		return isFalse(list[0])
	case "Fn::And":
		return !slices.ContainsFunc(list, isFalse)
	}
	panic("stacktest: templates have no function " + function + " here")
}

// named returns a parameter, the id of a resource, or an attribute of it after a dot.
func (s *scope) named(name string) any {
	if value, ok := s.values[name]; ok {
		return value
	}
	logical, attribute, _ := strings.Cut(name, ".")
	d, ok := s.Resources[logical]
	if !ok {
		return absent{} // AWS::NoValue
	}
	kind, id := d.Type, s.physical(logical)
	switch attribute {
	case "Arn":
		return arnOf(s.region, kind, id)
	case "StreamArn":
		return arnOf(s.region, kind, id) + "/stream/2026-03-04T05:06:07.000"
	case "QueueName":
		return id[strings.LastIndex(id, "/")+1:]
	}
	return id
}

// nameOf is the property that names a resource of a kind.
var nameOf = map[string]string{
	tableKind: "TableName", functionKind: "FunctionName", bucketKind: "BucketName", "AWS::IAM::Role": "RoleName",
	"AWS::IAM::ManagedPolicy": "ManagedPolicyName", "AWS::SQS::Queue": "QueueName", "AWS::Logs::LogGroup": "LogGroupName",
	"AWS::CloudWatch::Alarm": "AlarmName",
}

// physical returns the id of a resource: the name that its properties give it, or one that is made up for the stack.
func (s *scope) physical(logical string) string {
	d := s.Resources[logical]
	name, ok := s.evaluate(d.Properties[nameOf[d.Type]]).(string)
	if !ok {
		name = s.stack + "-" + logical + "-0123456789AB"
	}
	switch d.Type {
	case "AWS::IAM::ManagedPolicy":
		return "arn:" + s.values["AWS::Partition"] + ":iam::" + Account + ":policy/" + name
	case "AWS::SQS::Queue":
		return "https://sqs." + s.region + "." + s.values["AWS::URLSuffix"] + "/" + Account + "/" + name
	}
	return name
}

// arns are the forms of ARNs: P is a partition, R a region, A an account and N a name.
var arns = map[string]string{
	tableKind: "arn:P:dynamodb:R:A:table/N", functionKind: "arn:P:lambda:R:A:function:N", bucketKind: "arn:P:s3:::N",
	"AWS::IAM::Role": "arn:P:iam::A:role/N", "AWS::SQS::Queue": "arn:P:sqs:R:A:N", "AWS::Logs::LogGroup": "arn:P:logs:R:A:log-group:N:*",
	"AWS::CloudWatch::Alarm": "arn:P:cloudwatch:R:A:alarm:N",
}

// arnOf returns the ARN of a resource with an id.
func arnOf(region, kind, id string) string {
	form, ok := arns[kind]
	if !ok {
		return id
	}
	if kind == "AWS::SQS::Queue" {
		id = id[strings.LastIndex(id, "/")+1:]
	}
	of, _ := partition(region)
	return strings.NewReplacer("P", of, "R", region, "A", Account, "N", id).Replace(form)
}

// Rendered is a resource of a template whose expressions are evaluated.
type Rendered struct {
	Type, ID, ARN string
	Properties    map[string]any // as encoding/json decodes them
}

// Render evaluates a template for a stack of a name in a region: parameters that are not given have their defaults, and
// resources whose condition does not hold are left out. It creates nothing.
func Render(t testing.TB, body, stackName string, parameters map[string]string, region string) map[string]Rendered {
	t.Helper()
	of, problem := parseTemplate(body)
	var values map[string]string
	if problem == nil {
		values, problem = of.complete(parameters)
	}
	if problem != nil {
		t.Fatal(problem)
	}
	all := map[string]Rendered{}
	for _, r := range newScope(of, stackName, region, values).render() {
		all[r.logical] = r.Rendered
	}
	return all
}

// render returns the resources whose condition holds.
func (s *scope) render() (all []*resource) {
	for _, logical := range s.order {
		if d := s.Resources[logical]; s.holds(d.Condition) {
			id := s.physical(logical)
			of := Rendered{d.Type, id, arnOf(s.region, d.Type, id), mapping(s.evaluate(d.Properties))}
			all = append(all, &resource{logical: logical, deletion: d.DeletionPolicy, Rendered: of})
		}
	}
	return all
}
