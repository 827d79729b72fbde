package stacktest

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// Account and Region are those of everything here.
const (
	Account = "123456789012"
	Region  = "us-east-1"
)

// Place is where a template is rendered. The zero Place is [Region] in the partition aws.
type Place struct {
	Partition string // default: aws
	Region    string // default: Region
	URLSuffix string // default: amazonaws.com
}

// China is a place in another partition, with another suffix of URLs.
var China = Place{"aws-cn", "cn-north-1", "amazonaws.com.cn"}

// move changes an ARN or a URL of the default place into one of this place.
func (p Place) move(id string) string {
	id = strings.Replace(id, "arn:aws:", "arn:"+p.Partition+":", 1)
	id = strings.Replace(id, "."+Region+".amazonaws.com/", "."+p.Region+"."+p.URLSuffix+"/", 1)
	return strings.Replace(id, ":"+Region+":", ":"+p.Region+":", 1)
}

// scope is what the expressions of a template are evaluated in.
type scope struct {
	*template
	stack, id  string
	parameters map[string]string
	place      Place
}

// absent is the value of a property that is AWS::NoValue.
type absent struct{}

// holds reports whether a condition holds; "" always does.
func (s *scope) holds(condition string) bool {
	return condition == "" || s.evaluate(s.conditions[condition]) == any(true)
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
	case "Ref":
		return s.ref(text(argument))
	case "Condition":
		return s.holds(text(argument))
	case "Fn::GetAtt":
		return s.named(text(argument))
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

// named returns an attribute by its name with a dot in it, or else what Ref returns.
func (s *scope) named(name string) any {
	logical, attribute, dotted := strings.Cut(name, ".")
	id := s.ref(logical)
	if d := s.declared(logical); dotted && d != nil {
		arn := s.place.move(arnOf(d.kind, text(id)))
		switch attribute {
		case "Arn":
			return arn
		case "StreamArn":
			return arn + "/stream/2026-03-04T05:06:07.000"
		case "QueueName":
			return text(id)[strings.LastIndex(text(id), "/")+1:]
		}
	}
	return id
}

func (s *scope) ref(name string) any {
	switch name {
	case "AWS::NoValue":
		return absent{}
	case "AWS::Region":
		return s.place.Region
	case "AWS::AccountId":
		return Account
	case "AWS::Partition":
		return s.place.Partition
	case "AWS::URLSuffix":
		return s.place.URLSuffix
	case "AWS::StackName":
		return s.stack
	}
	if value, ok := s.parameters[name]; ok {
		return value
	}
	if d := s.declared(name); d != nil {
		return s.physical(*d)
	}
	return absent{}
}

func (s *scope) declared(logical string) *declared {
	for i, d := range s.resources {
		if d.logical == logical {
			return &s.resources[i]
		}
	}
	return nil
}

// nameOf is the property that names a resource of a kind.
var nameOf = map[string]string{
	tableKind: "TableName", functionKind: "FunctionName", bucketKind: "BucketName", "AWS::IAM::Role": "RoleName",
	"AWS::IAM::ManagedPolicy": "ManagedPolicyName", "AWS::SQS::Queue": "QueueName", "AWS::Logs::LogGroup": "LogGroupName",
	"AWS::CloudWatch::Alarm": "AlarmName",
}

// physical returns the id of a resource: the name that its properties give it, or one that is made up for the stack.
func (s *scope) physical(d declared) string {
	name, ok := s.evaluate(d.properties[nameOf[d.kind]]).(string)
	if !ok {
		sum := sha256.Sum256([]byte(s.id + d.logical))
		name = s.stack + "-" + d.logical + "-" + strings.ToUpper(hex.EncodeToString(sum[:6]))
	}
	switch d.kind {
	case "AWS::IAM::ManagedPolicy":
		name = "arn:aws:iam::" + Account + ":policy/" + name
	case "AWS::SQS::Queue":
		name = "https://sqs." + Region + ".amazonaws.com/" + Account + "/" + name
	}
	return s.place.move(name)
}

func arnOf(kind, physical string) string {
	forms := map[string]string{
		tableKind: "dynamodb:R:A:table/", functionKind: "lambda:R:A:function:", bucketKind: "s3:::", "AWS::IAM::Role": "iam::A:role/",
		"AWS::SQS::Queue": "sqs:R:A:", "AWS::Logs::LogGroup": "logs:R:A:log-group:", "AWS::CloudWatch::Alarm": "cloudwatch:R:A:alarm:",
	}
	form, ok := forms[kind]
	if !ok {
		return physical
	}
	arn := "arn:aws:" + strings.NewReplacer("R", Region, "A", Account).Replace(form)
	switch kind {
	case "AWS::SQS::Queue":
		return arn + physical[strings.LastIndex(physical, "/")+1:]
	case "AWS::Logs::LogGroup":
		return arn + physical + ":*"
	}
	return arn + physical
}

// Rendered is a resource of a template whose expressions are evaluated.
type Rendered struct {
	Type, ID, ARN string
	Properties    map[string]any // as encoding/json decodes them
}

// Render evaluates a template for a stack of a name: parameters that are not given have their defaults, and resources whose
// condition does not hold are left out. It creates nothing.
func Render(t testing.TB, body, stackName string, parameters map[string]string, at Place) map[string]Rendered {
	t.Helper()
	of, err := parseTemplate(body)
	if err != nil {
		t.Fatal(err)
	}
	values, err := of.values(parameters)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]Rendered{}
	for _, r := range newScope(of, stackName, "id", values, at).render() {
		encoded, err := json.Marshal(r.properties)
		if err != nil {
			t.Fatal(err)
		}
		decoded := r.rendered(at)
		if err := json.Unmarshal(encoded, &decoded.Properties); err != nil {
			t.Fatal(err)
		}
		all[r.logical] = decoded
	}
	return all
}

func newScope(t *template, stack, id string, parameters map[string]string, at Place) *scope {
	return &scope{t, stack, id, parameters, at.withDefaults()}
}

func (p Place) withDefaults() Place {
	if p.Partition == "" {
		p.Partition = "aws"
	}
	if p.Region == "" {
		p.Region = Region
	}
	if p.URLSuffix == "" {
		p.URLSuffix = "amazonaws.com"
	}
	return p
}

// render returns the resources whose condition holds.
func (s *scope) render() (all []*resource) {
	for _, d := range s.resources {
		if s.holds(d.condition) {
			all = append(all, &resource{declared: d, physical: s.physical(d), properties: mapping(s.evaluate(d.properties))})
		}
	}
	return all
}

func (r *resource) rendered(at Place) Rendered {
	return Rendered{Type: r.kind, ID: r.physical, ARN: at.withDefaults().move(arnOf(r.kind, r.physical)), Properties: r.properties}
}
