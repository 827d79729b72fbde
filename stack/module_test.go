package stack

import (
	_ "embed" // for the parser
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/zeroae/zae-limiter-go/stack/stacktest"
)

const moduleFolder = "../deploy/terraform"

//go:embed testdata/terraform.py
var readModule string

// block is a block of Terraform's language, as testdata/terraform.py describes it.
type block object

// blocks returns the blocks of a name in this one.
func (b block) blocks(name string) (all []block) {
	items, _ := b[name].([]any)
	for _, item := range items {
		if inner, ok := item.(object); ok {
			all = append(all, inner)
		}
	}
	return all
}

// text returns an attribute as text, "" if there is none.
func (b block) text(name string) string {
	if v, ok := b[name]; ok {
		return fmt.Sprint(v)
	}
	return ""
}

// terraform returns the module's blocks by "resource KIND NAME" and "data KIND NAME".
func terraform(t *testing.T) (all map[string]block) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(moduleFolder, "*.tf"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no module in %s: %v", moduleFolder, err)
	}
	c := exec.Command(stacktest.Python(t, "terraform", "python"), append([]string{"-I", "-c", readModule}, files...)...)
	var complaint strings.Builder
	c.Stderr = &complaint
	out, err := c.Output()
	if err == nil {
		err = json.Unmarshal(out, &all)
	}
	if err != nil {
		t.Fatalf("%s is not Terraform's language: %v\n%s", moduleFolder, err, complaint.String())
	}
	return all
}

// providerTypes returns the declarations of Terraform's AWS provider for some blocks of the module, by "resource KIND" and "data
// KIND".
func providerTypes(t *testing.T, module map[string]block) map[string]string {
	t.Helper()
	texts, kinds := map[string]string{}, []string{}
	for name := range module {
		sort, kind, _ := strings.Cut(name[:strings.LastIndex(name, " ")], " ")
		if kind = sort + " " + strings.TrimPrefix(kind, "aws_"); !slices.Contains(kinds, kind) {
			kinds = append(kinds, kind)
		}
	}
	folder := stacktest.Provider(t, kinds)
	for _, of := range kinds {
		sort, kind, _ := strings.Cut(of, " ")
		file := strings.ReplaceAll(map[string]string{"data": "data-aws-"}[sort]+kind, "_", "-") + "/index.d.ts"
		text, err := os.ReadFile(filepath.Join(folder, file))
		if err != nil {
			t.Fatal(err)
		}
		texts[sort+" aws_"+kind] = string(text)
	}
	return texts
}
