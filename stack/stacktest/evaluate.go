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

// scope is what the expressions of a template are evaluated in.
type scope struct {
	*template
	values map[string]string // of parameters and pseudo parameters
}

func newScope(t *template, stack, region string, parameters map[string]string) *scope {
	values := maps.Clone(parameters)
	values["AWS::Partition"] = "aws"
	switch {
	case strings.HasPrefix(region, "cn-"):
		values["AWS::Partition"] = "aws-cn"
	case strings.HasPrefix(region, "us-gov-"):
		values["AWS::Partition"] = "aws-us-gov"
	}
	values["AWS::Region"], values["AWS::AccountId"], values["AWS::StackName"] = region, Account, stack
	return &scope{t, values}
}

// holds reports whether a condition holds; "" always does.
func (s *scope) holds(condition string) bool {
	return condition == "" || s.evaluate(s.Conditions[condition]) == any(true)
}

// evaluate returns the value of an expression: map[string]any, []any, a scalar, or nil for AWS::NoValue, which is left out of
// mappings and lists. It knows the functions that the project's template uses.
func (s *scope) evaluate(v any) any {
	switch v := v.(type) {
	case []any:
		all := []any{}
		for _, item := range v {
			if item = s.evaluate(item); item != nil {
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
			if item = s.evaluate(item); item != nil {
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
	logical, attribute, _ := strings.Cut(name, ".")
	called, r := s.identify(logical)
	switch value, isParameter := s.values[name]; {
	case isParameter:
		return value
	case name == "AWS::NoValue":
		return nil
	case r.Type == "":
		panic("stacktest: the template has no " + name)
	case attribute == "Arn":
		return r.ARN
	case attribute == "StreamArn":
		return r.ARN + "/stream/2026-03-04T05:06:07.000"
	case attribute == "QueueName":
		return called
	}
	return r.ID
}

// kinds has the property that names a resource of a kind, and the forms of its id and its ARN: P is a partition, R a region, A an
// account and N the name.
var kinds = map[string]struct{ name, id, arn string }{
	tableKind:                         {"TableName", "N", "arn:P:dynamodb:R:A:table/N"},
	functionKind:                      {"FunctionName", "N", "arn:P:lambda:R:A:function:N"},
	bucketKind:                        {"BucketName", "N", "arn:P:s3:::N"},
	"AWS::IAM::Role":                  {"RoleName", "N", "arn:P:iam::A:role/N"},
	"AWS::IAM::ManagedPolicy":         {"ManagedPolicyName", "arn:P:iam::A:policy/N", "arn:P:iam::A:policy/N"},
	"AWS::SQS::Queue":                 {"QueueName", "https://sqs.R.amazonaws.com/A/N", "arn:P:sqs:R:A:N"},
	"AWS::Logs::LogGroup":             {"LogGroupName", "N", "arn:P:logs:R:A:log-group:N:*"},
	"AWS::Lambda::EventSourceMapping": {"", "N", "N"},
	"AWS::CloudWatch::Alarm":          {"AlarmName", "N", "arn:P:cloudwatch:R:A:alarm:N"},
}

// identify returns the name of a resource, made up for the stack if its properties give it none, and its id and ARN.
func (s *scope) identify(logical string) (name string, r Rendered) {
	d := s.Resources[logical]
	kind := kinds[d.Type]
	name, ok := s.evaluate(d.Properties[kind.name]).(string)
	if !ok {
		name = s.values["AWS::StackName"] + "-" + logical + "-0123456789AB"
	}
	fill := strings.NewReplacer("P", s.values["AWS::Partition"], "R", s.values["AWS::Region"], "A", Account, "N", name)
	return name, Rendered{Type: d.Type, ID: fill.Replace(kind.id), ARN: fill.Replace(kind.arn)}
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
	content, problem := render(body, stackName, region, parameters)
	if problem != nil {
		t.Fatal(problem)
	}
	all := map[string]Rendered{}
	for _, r := range content.resources {
		all[r.logical] = r.Rendered
	}
	return all
}

// render returns what a stack has by a template with given parameters: the resources whose condition holds.
func render(body, stack, region string, given map[string]string) (of content, problem *Answer) {
	if of.template, problem = parseTemplate(body); problem != nil {
		return of, problem
	}
	if of.parameters, problem = of.template.complete(given); problem != nil {
		return of, problem
	}
	scope := newScope(of.template, stack, region, of.parameters)
	for _, logical := range scope.order {
		if d := scope.Resources[logical]; scope.holds(d.Condition) {
			_, r := scope.identify(logical)
			r.Properties = mapping(scope.evaluate(d.Properties))
			of.resources = append(of.resources, &resource{logical: logical, deletion: d.DeletionPolicy, Rendered: r})
		}
	}
	return of, nil
}
