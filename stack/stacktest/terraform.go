package stacktest

import (
	_ "embed" // for the file beside this one
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

//go:embed provider.txt
var provider []byte

// readHCL prints files of Terraform's language as one JSON document each, by their names.
const readHCL = `
import hcl2, json, sys
print(json.dumps({name: hcl2.load(open(name)) for name in sys.argv[1:]}))
`

// Block is a block of Terraform's language: attributes and, as lists, the blocks in it. Literal strings have no quotes, and an
// expression is its text, such as ${var.name}. The blocks of a dynamic block are among the others.
type Block map[string]any

// Terraform parses the files of a module, and returns its resources and data sources by "resource KIND NAME" and "data KIND
// NAME". Without the parser the test is skipped or fails: see the package comment.
func Terraform(t testing.TB, folder string) map[string]Block {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "*.tf"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no module in %s: %v", folder, err)
	}
	c := exec.Command(python(t, "terraform", "python"), append([]string{"-I", "-c", readHCL}, files...)...)
	var complaint strings.Builder
	c.Stderr = &complaint
	out, err := c.Output()
	if err != nil {
		t.Fatalf("%s is not Terraform's language: %v\n%s", folder, err, complaint.String())
	}
	var parsed map[string]map[string]any
	if err := json.Unmarshal(out, &parsed); err != nil {
		t.Fatal(err)
	}
	all := map[string]Block{}
	for _, file := range parsed {
		for _, sort := range []string{"resource", "data"} {
			for _, of := range list(file[sort]) {
				for kind, named := range of {
					for name, body := range named.(map[string]any) {
						all[sort+" "+unquoted(kind)+" "+unquoted(name)] = blockOf(body.(map[string]any))
					}
				}
			}
		}
	}
	return all
}

func unquoted(text string) string {
	if len(text) > 1 && text[0] == '"' && text[len(text)-1] == '"' {
		text = strings.ReplaceAll(text[1:len(text)-1], `\"`, `"`)
	}
	return text
}

// blockOf removes the parser's marks from what it returns.
func blockOf(body map[string]any) Block {
	b := Block{}
	for name, v := range body {
		if !strings.HasPrefix(name, "__") && name != "dynamic" {
			b[name] = valueOf(v)
		}
	}
	for _, dynamic := range list(body["dynamic"]) {
		for name, inner := range dynamic {
			if content, ok := inner.(map[string]any); ok {
				made, _ := b[unquoted(name)].([]any)
				b[unquoted(name)] = append(made, valueOf(content["content"]).([]any)...)
			}
		}
	}
	return b
}

func valueOf(v any) any {
	switch v := v.(type) {
	case string:
		return unquoted(v)
	case []any:
		var all []any
		for _, item := range v {
			all = append(all, valueOf(item))
		}
		return all
	case map[string]any:
		if v["__is_block__"] == true {
			return blockOf(v)
		}
	}
	return v
}

// Blocks returns the blocks of a name in this one.
func (b Block) Blocks(name string) (all []Block) {
	items, _ := b[name].([]any)
	for _, item := range items {
		if inner, ok := item.(Block); ok {
			all = append(all, inner)
		}
	}
	return all
}

// Text returns an attribute as text, "" if there is none.
func (b Block) Text(name string) string {
	if v, ok := b[name]; ok {
		return fmt.Sprint(v)
	}
	return ""
}

// TableInput returns the request with which Terraform creates a table that is declared like this, under a name.
func (b Block) TableInput(name string) *dynamodb.CreateTableInput {
	keys := func(of Block) []types.KeySchemaElement {
		return []types.KeySchemaElement{
			{AttributeName: aws.String(of.Text("hash_key")), KeyType: types.KeyTypeHash},
			{AttributeName: aws.String(of.Text("range_key")), KeyType: types.KeyTypeRange},
		}
	}
	in := &dynamodb.CreateTableInput{
		TableName: &name, BillingMode: types.BillingMode(b.Text("billing_mode")), KeySchema: keys(b),
		StreamSpecification: &types.StreamSpecification{
			StreamEnabled: aws.Bool(b.Text("stream_enabled") == "true"), StreamViewType: types.StreamViewType(b.Text("stream_view_type")),
		},
	}
	for _, a := range b.Blocks("attribute") {
		in.AttributeDefinitions = append(in.AttributeDefinitions, types.AttributeDefinition{
			AttributeName: aws.String(a.Text("name")), AttributeType: types.ScalarAttributeType(a.Text("type")),
		})
	}
	for _, i := range b.Blocks("global_secondary_index") {
		in.GlobalSecondaryIndexes = append(in.GlobalSecondaryIndexes, types.GlobalSecondaryIndex{
			IndexName: aws.String(i.Text("name")), KeySchema: keys(i),
			Projection: &types.Projection{ProjectionType: types.ProjectionType(i.Text("projection_type"))},
		})
	}
	return in
}

var declaration = regexp.MustCompile(`(?m)^(resource|data) "aws_([a-z0-9_]+)"`)

// ProviderTypes returns the declarations of Terraform's AWS provider for the resources and data sources of a module, by
// "resource KIND" and "data KIND". .ci/npm.sh fetches them. Without them the test is skipped or fails: see the package
// comment.
func ProviderTypes(t testing.TB, module string) map[string]string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(module, "*.tf"))
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[string]string{} // to the folder of the package
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, found := range declaration.FindAllStringSubmatch(string(text), -1) {
			folder := strings.ReplaceAll(found[2], "_", "-")
			if found[1] == "data" {
				folder = "data-aws-" + folder
			}
			kinds[found[1]+" "+found[2]] = folder
		}
	}
	list := []byte(string(provider) + strings.Join(slices.Sorted(maps.Keys(kinds)), "\n") + "\n")
	folder := tool(t, "terraform", func() (string, error) { return installedFor("terraform", list, errNoProvider) })
	texts := map[string]string{}
	for kind, of := range kinds {
		text, err := os.ReadFile(filepath.Join(folder, of, "index.d.ts"))
		if err != nil {
			t.Fatal(err)
		}
		sort, name, _ := strings.Cut(kind, " ")
		texts[sort+" aws_"+name] = string(text)
	}
	return texts
}

func list(v any) (all []map[string]any) {
	items, _ := v.([]any)
	for _, item := range items {
		if m, ok := item.(map[string]any); ok {
			all = append(all, m)
		}
	}
	return all
}
