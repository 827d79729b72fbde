package stacktest

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Account and Region are those of everything here.
const (
	Account = "123456789012"
	Region  = "us-east-1"
)

// scope is what expressions of a template are resolved in.
type scope struct {
	t              *template
	stack, stackID string
	parameters     map[string]string
	resources      map[string]*resource // those that exist in it
	place          Place                // the zero one is that of the account
}

// absent is what a property is that has AWS::NoValue for its value.
type absent struct{}

// holds tells whether a condition does; "" always.
func (s *scope) holds(condition string) bool {
	if condition == "" {
		return true
	}
	yes, _ := s.resolve(s.t.conditions[condition]).(bool)
	return yes
}

// resolve makes an expression a value: map[string]any, []any or a scalar.
func (s *scope) resolve(v any) any {
	switch v := v.(type) {
	case []any:
		list := []any{}
		for _, item := range v {
			if item = s.resolve(item); item != any(absent{}) {
				list = append(list, item)
			}
		}
		return list
	case object:
		if len(v.keys) == 1 && (v.keys[0] == "Ref" || v.keys[0] == "Condition" || strings.HasPrefix(v.keys[0], "Fn::")) {
			return s.call(v.keys[0], v.values[v.keys[0]])
		}
		all := map[string]any{}
		for key, item := range v.values {
			if item = s.resolve(item); item != any(absent{}) {
				all[key] = item
			}
		}
		return all
	}
	return v
}

// call is a function of templates.
func (s *scope) call(function string, argument any) any {
	switch function {
	case "Ref":
		return s.ref(fmt.Sprint(argument))
	case "Condition":
		return s.holds(fmt.Sprint(argument))
	case "Fn::GetAtt":
		logical, attribute, _ := strings.Cut(strings.Join(texts(argument), "."), ".")
		return s.attribute(logical, attribute)
	case "Fn::Sub":
		return s.sub(argument)
	}
	if function == "Fn::If" { // the other branch may speak of what is not there
		list, _ := argument.([]any)
		branch := 2
		if s.holds(fmt.Sprint(list[0])) {
			branch = 1
		}
		return s.resolve(list[branch])
	}
	list, _ := s.resolve(argument).([]any)
	return combine(function, list, s)
}

func combine(function string, list []any, s *scope) any {
	isTrue := func(v any) bool { return v == any(true) }
	switch function {
	case "Fn::Equals":
		return fmt.Sprint(list[0]) == fmt.Sprint(list[1])
	case "Fn::Not":
		return !isTrue(list[0])
	case "Fn::And":
		return !slices.ContainsFunc(list, func(v any) bool { return !isTrue(v) })
	case "Fn::Or":
		return slices.ContainsFunc(list, isTrue)
	case "Fn::Join":
		return strings.Join(texts(list[1]), fmt.Sprint(list[0]))
	case "Fn::Split":
		var parts []any
		for _, part := range strings.Split(fmt.Sprint(list[1]), fmt.Sprint(list[0])) {
			parts = append(parts, part)
		}
		return parts
	case "Fn::Select":
		n, _ := strconv.Atoi(fmt.Sprint(list[0]))
		from, _ := list[1].([]any)
		if n < len(from) {
			return from[n]
		}
		return absent{}
	case "Fn::FindInMap":
		return s.t.mappings.object(fmt.Sprint(list[0])).object(fmt.Sprint(list[1])).at(fmt.Sprint(list[2]))
	}
	return "unknown function " + function
}

func (s *scope) ref(name string) any {
	place := s.place.withDefaults()
	switch name {
	case "AWS::NoValue":
		return absent{}
	case "AWS::Region":
		return place.Region
	case "AWS::AccountId":
		return Account
	case "AWS::Partition":
		return place.Partition
	case "AWS::URLSuffix":
		return place.URLSuffix
	case "AWS::StackName":
		return s.stack
	case "AWS::StackId":
		return s.stackID
	}
	if value, ok := s.parameters[name]; ok {
		for _, p := range s.t.parameters {
			if p.name == name && (p.kind == "CommaDelimitedList" || strings.HasPrefix(p.kind, "List<")) {
				var items []any
				for _, item := range strings.Split(value, ",") {
					items = append(items, strings.TrimSpace(item))
				}
				return items
			}
		}
		return value
	}
	if r := s.resources[name]; r != nil {
		return r.physical
	}
	return "unresolved-" + name
}

func (s *scope) attribute(logical, attribute string) any {
	r := s.resources[logical]
	if r == nil {
		return "unresolved-" + logical + "." + attribute
	}
	switch attribute {
	case "Arn":
		return s.place.withDefaults().move(arnOf(r.kind, r.physical))
	case "StreamArn":
		return s.place.withDefaults().move(arnOf(r.kind, r.physical)) + "/stream/2026-03-04T05:06:07.000"
	case "QueueUrl":
		return r.physical
	case "QueueName":
		return r.physical[strings.LastIndex(r.physical, "/")+1:]
	}
	return r.physical + "." + attribute
}

var expression = regexp.MustCompile(`\$\{([^!}][^}]*)\}`)

// substituted are the names in a text for Fn::Sub.
func substituted(text string) (names []string) {
	for _, found := range expression.FindAllStringSubmatch(text, -1) {
		names = append(names, found[1])
	}
	return names
}

func (s *scope) sub(argument any) string {
	text, own := fmt.Sprint(argument), object{}
	if list, ok := argument.([]any); ok {
		text = fmt.Sprint(list[0])
		own, _ = list[1].(object)
	}
	text = expression.ReplaceAllStringFunc(text, func(found string) string {
		name := found[2 : len(found)-1]
		if v, ok := own.values[name]; ok {
			return fmt.Sprint(s.resolve(v))
		}
		if logical, attribute, dotted := strings.Cut(name, "."); dotted {
			return fmt.Sprint(s.attribute(logical, attribute))
		}
		return fmt.Sprint(s.ref(name))
	})
	return strings.ReplaceAll(text, "${!", "${")
}

// named is the property that names a resource of a kind.
var named = map[string]string{
	"AWS::DynamoDB::Table": "TableName", "AWS::Lambda::Function": "FunctionName", "AWS::IAM::Role": "RoleName",
	"AWS::IAM::ManagedPolicy": "ManagedPolicyName", "AWS::S3::Bucket": "BucketName", "AWS::SQS::Queue": "QueueName",
	"AWS::Logs::LogGroup": "LogGroupName", "AWS::CloudWatch::Alarm": "AlarmName",
}

// physicalOf is the id of a resource: the name that its properties give it, else one that is made up for the stack.
func physicalOf(s *scope, d declared, properties map[string]any) string {
	name, ok := properties[named[d.kind]].(string)
	if !ok {
		sum := sha256.Sum256([]byte(s.stackID + d.logical))
		name = s.stack + "-" + d.logical + "-" + strings.ToUpper(hex.EncodeToString(sum[:6]))
		if d.kind == "AWS::S3::Bucket" {
			name = strings.ToLower(name)
		}
	}
	switch d.kind {
	case "AWS::IAM::ManagedPolicy":
		return "arn:aws:iam::" + Account + ":policy/" + name
	case "AWS::SQS::Queue":
		return "https://sqs." + Region + ".amazonaws.com/" + Account + "/" + name
	}
	return name
}

func arnOf(kind, physical string) string {
	in := func(service, rest string) string {
		return "arn:aws:" + service + ":" + Region + ":" + Account + ":" + rest
	}
	switch kind {
	case "AWS::DynamoDB::Table":
		return in("dynamodb", "table/"+physical)
	case "AWS::Lambda::Function":
		return in("lambda", "function:"+physical)
	case "AWS::IAM::Role":
		return "arn:aws:iam::" + Account + ":role/" + physical
	case "AWS::S3::Bucket":
		return "arn:aws:s3:::" + physical
	case "AWS::SQS::Queue":
		return in("sqs", physical[strings.LastIndex(physical, "/")+1:])
	case "AWS::Logs::LogGroup":
		return in("logs", "log-group:"+physical+":*")
	case "AWS::CloudWatch::Alarm":
		return in("cloudwatch", "alarm:"+physical)
	}
	return physical
}
