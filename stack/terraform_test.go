package stack

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The module's table equals the template's, so what TestWalkTwoSteps of cmd/zae-limiter does with a table from the template holds
// for one from the module, too.
func TestTerraformTable(t *testing.T) {
	t.Parallel()
	in := terraform(t)["resource aws_dynamodb_table this"]
	table := at(resourcesOf(t, template)[resourceTable], "Properties").(object)
	keys := func(of block) []any {
		return []any{
			object{"AttributeName": of["hash_key"], "KeyType": "HASH"}, object{"AttributeName": of["range_key"], "KeyType": "RANGE"},
		}
	}
	attributes, indexes := []any{}, []any{}
	for _, a := range in.blocks("attribute") {
		attributes = append(attributes, object{"AttributeName": a["name"], "AttributeType": a["type"]})
	}
	for _, i := range in.blocks("global_secondary_index") {
		indexes = append(indexes, object{"IndexName": i["name"], "KeySchema": keys(i), "Projection": object{"ProjectionType": i["projection_type"]}})
	}
	for property, want := range map[string]any{
		"BillingMode": in["billing_mode"], "AttributeDefinitions": attributes, "KeySchema": keys(in), "GlobalSecondaryIndexes": indexes,
		"StreamSpecification":     object{"StreamViewType": in["stream_view_type"]},
		"TimeToLiveSpecification": object{"AttributeName": in.blocks("ttl")[0]["attribute_name"], "Enabled": in.blocks("ttl")[0]["enabled"]},
	} {
		if diff := cmp.Diff(table[property], want); diff != "" {
			t.Errorf("%s (-template +module): %s", property, diff)
		}
	}
	if in["stream_enabled"] != true {
		t.Errorf("the stream is on: %v", in["stream_enabled"])
	}
}

// The module's function has the same event source and permissions as the template's.
func TestTerraformAggregator(t *testing.T) {
	t.Parallel()
	all, resources := terraform(t), resourcesOf(t, template)
	var want, got []string
	for _, f := range at(resources["AggregatorFeed"], "Properties", "FilterCriteria", "Filters").([]any) {
		want = append(want, at(f, "Pattern").(string))
	}
	feed := all["resource aws_lambda_event_source_mapping aggregator"]
	for _, f := range feed.blocks("filter_criteria")[0].blocks("filter") {
		got = append(got, f.text("pattern"))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("filters: %s", diff)
	}
	for name, property := range map[string]string{
		"starting_position": "StartingPosition", "batch_size": "BatchSize", "maximum_batching_window_in_seconds": "MaximumBatchingWindowInSeconds",
		"maximum_retry_attempts": "MaximumRetryAttempts", "bisect_batch_on_function_error": "BisectBatchOnFunctionError",
		"function_response_types": "FunctionResponseTypes",
	} {
		if want := fmt.Sprint(at(resources["AggregatorFeed"], "Properties", property)); feed.text(name) != want {
			t.Errorf("%s is %s, not %s", name, feed.text(name), want)
		}
	}
	function := at(resources["Aggregator"], "Properties").(object)
	environment := all["resource aws_lambda_function aggregator"].blocks("environment")[0].text("variables")
	for name := range at(function, "Environment", "Variables").(object) {
		if !strings.Contains(environment, name) {
			t.Errorf("the function is not given %s", name)
		}
	}
	actions := map[string][]string{}
	for _, p := range at(resources["AggregatorRole"], "Properties", "Policies").([]any) {
		gatherActions(at(p, "PolicyDocument"), actions)
	}
	delete(actions, "Traces") // the module has no option for tracing
	ours := map[string][]string{}
	for _, s := range all["data aws_iam_policy_document aggregator"].blocks("statement") {
		ours[s.text("sid")] = texts(s["actions"])
	}
	if diff := cmp.Diff(actions, ours); diff != "" {
		t.Errorf("actions of the function's role: %s", diff)
	}
}

// gatherActions collects the actions of a policy's statements, regardless of conditions.
func gatherActions(v any, into map[string][]string) {
	switch v := v.(type) {
	case object:
		if sid, ok := v["Sid"].(string); ok {
			into[sid] = texts(v["Action"])
			return
		}
		for _, inner := range v {
			gatherActions(inner, into)
		}
	case []any:
		for _, inner := range v {
			gatherActions(inner, into)
		}
	}
}

// The module's policies equal the template's, with Terraform's expressions in place of CloudFormation's.
func TestTerraformPolicies(t *testing.T) {
	t.Parallel()
	resources, names := resourcesOf(t, template), map[string]string{
		"AcquirePolicy": "acq", "FullPolicy": "full", "ReadPolicy": "read",
		"NamespaceAcquirePolicy": "ns-acq", "NamespaceFullPolicy": "ns-full", "NamespaceReadPolicy": "ns-read",
	}
	for id, of := range resources {
		if at(of, "Type") != "AWS::IAM::ManagedPolicy" {
			continue
		}
		if names[id] == "" {
			t.Errorf("the module does not have the policy %s", id)
			continue
		}
		text, err := json.MarshalIndent(inTerraform(t, at(of, "Properties", "PolicyDocument")), "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		golden(t, "../"+moduleFolder+"/policies/"+names[id]+".json.tftpl", unescaped.Replace(string(text))+"\n")
		delete(names, id)
	}
	if len(names) > 0 {
		t.Errorf("the template does not have %v", names)
	}
}

// unescaped undoes the HTML escapes of encoding/json.
var unescaped = strings.NewReplacer(`\u003c`, "<", `\u003e`, ">", `\u0026`, "&")

// variables maps the template's names to the module's.
var variables = map[string]string{
	"Table.Arn": "table_arn", "KMSKeyArn": "key_arn", "AWS::Partition": "partition", "AWS::Region": "region",
	"AWS::AccountId": "account", "AWS::URLSuffix": "url_suffix",
}

var inSub = regexp.MustCompile(`\$\{([^}]*)\}`)

// inTerraform converts a value of the template to Terraform. For a condition it uses the case in which the condition holds: without
// a key, the module has the ARN of a key that does not exist.
func inTerraform(t *testing.T, v any) any {
	t.Helper()
	variable := func(name string) string {
		if variables[name] == "" {
			t.Errorf("the module has no variable for %s", name)
		}
		return "${" + variables[name] + "}"
	}
	switch v := v.(type) {
	case []any:
		all := []any{}
		for _, item := range v {
			all = append(all, inTerraform(t, item))
		}
		return all
	case object:
		for _, function := range []string{"Ref", "GetAtt"} {
			if name, ok := v[function].(string); ok {
				return variable(name)
			}
		}
		if text, ok := v["Sub"].(string); ok {
			return inSub.ReplaceAllStringFunc(text, func(found string) string { return variable(found[2 : len(found)-1]) })
		}
		if branches, ok := v["If"].([]any); ok {
			return inTerraform(t, branches[1])
		}
		all := object{}
		for key, item := range v {
			all[key] = inTerraform(t, item)
		}
		return all
	case string:
		return strings.ReplaceAll(v, "${", "$${")
	}
	return v
}

// meta has Terraform's arguments for every block.
var meta = []string{"for_each", "count", "depends_on", "lifecycle", "provider"}

// The provider has every attribute of the module, and no required attribute is missing.
func TestTerraformAttributes(t *testing.T) {
	t.Parallel()
	module := terraform(t)
	types := providerTypes(t, module)
	for name, block := range module {
		kind := name[:strings.LastIndex(name, " ")]
		declared := interfacesOf(types[kind])
		top := ""
		for of := range declared {
			if strings.HasSuffix(of, "Config") && (top == "" || len(of) < len(top)) && strings.Contains(types[kind], "interface "+of+" extends cdktf.TerraformMetaArguments") {
				top = of
			}
		}
		if top == "" {
			t.Errorf("%s: the provider does not declare it", kind)
			continue
		}
		for _, fault := range faults(declared, top, block) {
			t.Errorf("%s: %s", name, fault)
		}
	}
}

// property is a property of an interface: its type, and whether it is required.
type property struct {
	of       string
	required bool
}

var (
	interfaceText = regexp.MustCompile(`(?s)\nexport interface (\w+)[^{]*\{(.*?)\n\}`)
	propertyText  = regexp.MustCompile(`(?m)^    readonly (\w+)(\??): ([^;]+);`)
)

// interfacesOf returns the interfaces in a declaration file, by their names and the names of their properties.
func interfacesOf(text string) map[string]map[string]property {
	all := map[string]map[string]property{}
	for _, found := range interfaceText.FindAllStringSubmatch(text, -1) {
		all[found[1]] = map[string]property{}
		for _, p := range propertyText.FindAllStringSubmatch(found[2], -1) {
			of, _, _ := strings.Cut(strings.TrimSpace(p[3]), " ")
			all[found[1]][p[1]] = property{strings.TrimSuffix(of, "[]"), p[2] == ""}
		}
	}
	return all
}

// faults returns how a block differs from an interface.
func faults(declared map[string]map[string]property, of string, block block) (all []string) {
	properties, given := declared[of], map[string]bool{}
	for _, name := range slices.Sorted(maps.Keys(block)) {
		if slices.Contains(meta, name) {
			continue
		}
		p, known := properties[camel(name)]
		if !known {
			all = append(all, of+" has no attribute "+name)
			continue
		}
		given[camel(name)] = true
		blocks := block.blocks(name)
		if (declared[p.of] != nil) != (len(blocks) > 0) {
			all = append(all, fmt.Sprintf("%s of %s is a block: %v", name, of, declared[p.of] != nil))
		}
		for _, inner := range blocks {
			all = append(all, faults(declared, p.of, inner)...)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(properties)) {
		if properties[name].required && !given[name] {
			all = append(all, of+" wants "+name)
		}
	}
	return all
}

// camel converts a name of Terraform to one of cdktf.
func camel(name string) string {
	parts := strings.Split(name, "_")
	for i := 1; i < len(parts); i++ {
		parts[i] = strings.ToUpper(parts[i][:1]) + parts[i][1:]
	}
	return strings.Join(parts, "")
}

// The comparison finds unknown attributes, missing attributes, and blocks in place of attributes.
func TestTerraformFaults(t *testing.T) {
	declared := interfacesOf(`
export interface TableConfig extends cdktf.TerraformMetaArguments {
    readonly hashKey?: string;
    readonly name: string;
    readonly ttl?: TableTtl;
}
export interface TableTtl {
    readonly attributeName: string;
}`)
	block := block{"hash": "PK", "hash_key": []any{object{}}, "ttl": []any{object{"name": "ttl"}}, "for_each": "x"}
	want := []string{"TableConfig has no attribute hash", "hash_key of TableConfig is a block: false", "TableTtl has no attribute name", "TableTtl wants attributeName", "TableConfig wants name"}
	got := faults(declared, "TableConfig", block)
	if len(got) != len(want) {
		t.Fatalf("%q", got)
	}
	for _, w := range want {
		if !slices.Contains(got, w) {
			t.Errorf("%q does not have %q", got, w)
		}
	}
}

// The module has the standard files.
func TestTerraformFiles(t *testing.T) {
	for _, name := range []string{"main.tf", "variables.tf", "outputs.tf", "versions.tf", "README.md"} {
		if _, err := os.Stat(moduleFolder + "/" + name); err != nil {
			t.Error(err)
		}
	}
}

// The document's CDK example uses the template's names.
func TestCDKExample(t *testing.T) {
	text, err := os.ReadFile("../docs/deployment.md")
	if err != nil {
		t.Fatal(err)
	}
	_, example, _ := strings.Cut(string(text), "```ts\n")
	example, _, _ = strings.Cut(example, "```")
	for _, part := range []string{
		"partitionKey: { name: '" + hashKey + "', type: dynamodb.AttributeType.STRING }", "sortKey: { name: '" + rangeKey + "', type: dynamodb.AttributeType.STRING }",
		"partitionKey: { name: '" + indexHash + "', type: dynamodb.AttributeType.STRING }", "sortKey: { name: '" + indexRange + "', type: dynamodb.AttributeType.STRING }",
		"indexName: '" + indexName + "'", "projectionType: dynamodb.ProjectionType.KEYS_ONLY", "timeToLiveAttribute: '" + ttlAttribute + "'",
		"stream: dynamodb.StreamViewType.NEW_AND_OLD_IMAGES", "billingMode: dynamodb.BillingMode.PAY_PER_REQUEST",
	} {
		if !strings.Contains(example, part) {
			t.Errorf("the example does not have %s", part)
		}
	}
}
