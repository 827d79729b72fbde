package documents

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const module = "github.com/zeroae/zae-limiter-go"

// known are the packages that blocks may use without saying so.
var known = map[string]string{
	"context": "context", "credentials": "google.golang.org/grpc/credentials", "engine": module + "/engine", "gin": "github.com/gin-gonic/gin",
	"grpc": "google.golang.org/grpc", "grpclimit": module + "/grpclimit", "http": "net/http", "metric": "go.opentelemetry.io/otel/sdk/metric",
	"memory": module + "/backend/memory", "otellimit": module + "/otellimit", "prometheus": "go.opentelemetry.io/otel/exporters/prometheus",
	"promhttp": "github.com/prometheus/client_golang/prometheus/promhttp", "time": "time",
}

var block = regexp.MustCompile("(?ms)^<!-- in examples(?:: ((?:[^-]|-[^-])*))? -->\n\n?```go\n(.*?\n)```$")

// TestDocuments compiles each block as a package that is laid over this one.
func TestDocuments(t *testing.T) {
	pages, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	home, place := t.TempDir(), map[string]string{}
	for _, page := range pages {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, found := range block.FindAllStringSubmatchIndex(string(text), -1) {
			given := ""
			if found[2] >= 0 {
				given = string(text[found[2]:found[3]])
			}
			line := 1 + strings.Count(string(text[:found[4]]), "\n")
			code := source(t, fmt.Sprintf("%s:%d", filepath.Base(page), line), given, string(text[found[4]:found[5]]))
			name := fmt.Sprintf("block%d", len(place)+1)
			file := filepath.Join(home, name+".go")
			if err := os.WriteFile(file, []byte("package "+name+"\n"+code), 0o600); err != nil {
				t.Fatal(err)
			}
			here, err := filepath.Abs(filepath.Join(name, name+".go"))
			if err != nil {
				t.Fatal(err)
			}
			place[here] = file
		}
	}
	if len(place) < 4 {
		t.Fatalf("there are %d blocks", len(place))
	}
	overlay, err := json.Marshal(map[string]any{"Replace": place})
	if err == nil {
		err = os.WriteFile(filepath.Join(home, "overlay.json"), overlay, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	build := exec.Command("go", "build", "-overlay", filepath.Join(home, "overlay.json"))
	for n := range len(place) {
		build.Args = append(build.Args, fmt.Sprintf("./block%d", n+1))
	}
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

// source makes a file of a block: declarations, or a function around statements.
func source(t *testing.T, at, given, text string) string {
	t.Helper()
	code := "//line " + at + "\n" + text
	if _, err := parser.ParseFile(token.NewFileSet(), "", "package p\n"+text, parser.SkipObjectResolution); err != nil {
		before, after, _ := strings.Cut(given, "…")
		code = "func _(ctx context.Context, limiter *engine.Limiter) error {\n" + before + "\n{\n" + code + "\n" + after + "\n}\nreturn nil\n}\n"
	}
	file, err := parser.ParseFile(token.NewFileSet(), "", "package p\n"+code, parser.SkipObjectResolution)
	if err != nil {
		t.Fatalf("%s: %v", at, err)
	}
	imports := map[string]bool{}
	for n := range ast.Preorder(file) {
		if selector, ok := n.(*ast.SelectorExpr); ok {
			if id, ok := selector.X.(*ast.Ident); ok && known[id.Name] != "" {
				imports[id.Name] = true
			}
		}
	}
	head := ""
	for name := range imports {
		head += fmt.Sprintf("import %s %q\n", name, known[name])
	}
	return head + code
}
