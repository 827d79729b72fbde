package zaelimiter_test

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/zeroae/zae-limiter-go/internal/alltests"
)

// The Go in README.md and docs is compiled, and run where it is a whole program or a test. A comment before a block
// says what is not seen of it:
//
//	<!-- output -->            what the program before it prints; … stands for anything
//	<!-- not run: REASON -->   a program that is compiled only
//	<!-- given: A … B -->      statements around a piece of a function, which has ctx, limiter and request anyway
//	<!-- goes on -->           a piece in the same package as the one before
//	<!-- in examples: A … B --> what examples/documents compiles, because it needs libraries that the root does not have
//
// Pages of pieces that another test finds in a file are left out.
var elsewhere = map[string]string{"docs/writing-a-backend.md": "conformance.TestGuide"}

// block is a fenced block of a page.
type block struct {
	page            string
	line            int    // of the text
	note, lang, txt string // note: what the comment before it says
}

var fenced = regexp.MustCompile("(?ms)^(?:<!-- ((?:[^-]|-[^-])*) -->\n\n?)?```([a-z]*)\n(.*?\n)```$")

func pages(t *testing.T) map[string]string {
	t.Helper()
	names, err := filepath.Glob("docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	texts := map[string]string{}
	for _, name := range append(names, "README.md", "ARCHITECTURE.md", "CONTRIBUTING.md") {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		texts[filepath.ToSlash(name)] = string(text)
	}
	return texts
}

func blocks(page, text string) (all []block) {
	for _, at := range fenced.FindAllStringSubmatchIndex(text, -1) {
		b := block{page: page, line: 1 + strings.Count(text[:at[6]], "\n"), lang: text[at[4]:at[5]], txt: text[at[6]:at[7]]}
		if at[2] >= 0 {
			b.note = text[at[2]:at[3]]
		}
		all = append(all, b)
	}
	return all
}

// sample is a package made of blocks of a page.
type sample struct {
	name   string // p01
	files  map[string]string
	where  string
	runs   bool   // has Main
	tests  bool   // has tests
	output string // of Main; "": not shown
}

// samples makes packages of all Go there is.
func samples(t *testing.T) (all []*sample) {
	t.Helper()
	texts := pages(t)
	for _, page := range slices.Sorted(maps.Keys(texts)) {
		var last *sample
		for _, b := range blocks(page, texts[page]) {
			switch {
			case elsewhere[page] != "" || strings.HasPrefix(b.note, "in examples") || b.lang != "go" && b.note != "output":
			case b.note == "output":
				last.output = b.txt
			case b.note == "goes on":
				last.add(t, b)
			default:
				last = &sample{name: fmt.Sprintf("p%02d", len(all)+1), files: map[string]string{}, where: fmt.Sprintf("%s:%d", page, b.line)}
				last.add(t, b)
				all = append(all, last)
			}
		}
	}
	return all
}

// add makes a file of a block: a program whose main is called Main, declarations, or a function around statements.
func (s *sample) add(t *testing.T, b block) {
	t.Helper()
	file := fmt.Sprintf("f%02d.go", len(s.files)+1)
	code := "//line " + b.page + fmt.Sprintf(":%d\n", b.line) + b.txt
	if strings.HasPrefix(b.txt, "package main") {
		s.runs = !strings.HasPrefix(b.note, "not run: ")
		text := strings.Replace(b.txt, "package main", "package "+s.name, 1)
		text = strings.Replace(text, "\nfunc main() {", "\nfunc Main() {", 1)
		s.files[file] = "//line " + b.page + fmt.Sprintf(":%d\n", b.line) + text
		return
	}
	if _, err := parser.ParseFile(token.NewFileSet(), "", "package p\n"+b.txt, parser.SkipObjectResolution); err != nil {
		given, _ := strings.CutPrefix(b.note, "given: ")
		before, after, _ := strings.Cut(given, "…")
		code = "func _(ctx context.Context, limiter *engine.Limiter, request engine.Request) error {\n" + before + "\n" + code +
			"\n" + after + "\nreturn nil\n}\n"
	}
	if strings.Contains(b.txt, "func Test") {
		s.tests, file = true, strings.Replace(file, ".go", "_test.go", 1)
	}
	s.files[file] = "package " + s.name + "\n" + imports(t, b, code) + code
}

// known are the packages that pieces may use without saying so.
var known = map[string]string{
	"context": "context", "errors": "errors", "fmt": "fmt", "http": "net/http", "io": "io", "json": "encoding/json",
	"httptest": "net/http/httptest", "log": "log", "os": "os", "slog": "log/slog", "signal": "os/signal", "strconv": "strconv", "sync": "sync", "syscall": "syscall",
	"testing": "testing", "time": "time", "atomic": "sync/atomic", "strings": "strings", "synctest": "testing/synctest",
	"engine": module + "/engine", "backend": module + "/backend", "memory": module + "/backend/memory",
	"bolt": module + "/backend/bolt", "dynamo": module + "/backend/dynamo", "stack": module + "/stack",
	"conformance": module + "/conformance", "aggregator": module + "/aggregator", "limitertest": module + "/limitertest",
	"httplimit": module + "/httplimit", "net": "net", "netip": "net/netip",
}

// imports imports those that code uses.
func imports(t *testing.T, b block, code string) string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "", "package p\n"+code, parser.SkipObjectResolution)
	if err != nil {
		t.Fatalf("%s:%d: %v", b.page, b.line, err)
	}
	used := map[string]bool{}
	for n := range ast.Preorder(file) {
		if selector, ok := n.(*ast.SelectorExpr); ok {
			if id, ok := selector.X.(*ast.Ident); ok && known[id.Name] != "" {
				used[id.Name] = true
			}
		}
	}
	var lines strings.Builder
	for _, name := range slices.Sorted(maps.Keys(used)) {
		fmt.Fprintf(&lines, "import %s %q\n", name, known[name])
	}
	return lines.String()
}

// overlay lays the samples into the module as packages under internal/samples, without touching it, with a program that
// runs the one it is told to.
func overlay(t *testing.T, all []*sample) string {
	t.Helper()
	home := t.TempDir()
	place := map[string]string{}
	put := func(path, text string) {
		kept := filepath.Join(home, strings.ReplaceAll(path, "/", "_"))
		if err := os.WriteFile(kept, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		here, err := filepath.Abs(filepath.Join("internal", "samples", filepath.FromSlash(path)))
		if err != nil {
			t.Fatal(err)
		}
		place[here] = kept
	}
	program, cases := "package main\n\nimport \"os\"\n", ""
	for _, s := range all {
		for name, text := range s.files {
			put(s.name+"/"+name, text)
		}
		if s.runs {
			program += fmt.Sprintf("import %s %q\n", s.name, module+"/internal/samples/"+s.name)
			cases += fmt.Sprintf("\tcase %q:\n\t\t%s.Main()\n", s.name, s.name)
		}
	}
	put("samples.go", program+"\nfunc main() {\n\tswitch os.Args[1] {\n"+cases+"\t}\n}\n")
	text, err := json.Marshal(map[string]any{"Replace": place})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(home, "overlay.json")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// TestDocsGo compiles all Go in the documents, runs programs and compares what they print, and runs tests.
func TestDocsGo(t *testing.T) {
	alltests.Only(t)
	all := samples(t)
	laid, bin := overlay(t, all), filepath.Join(t.TempDir(), "bin")+string(filepath.Separator)
	build := exec.Command("go", "build", "-overlay", laid, "-o", bin, "./internal/samples")
	var tested []string
	for _, s := range all {
		build.Args = append(build.Args, "./internal/samples/"+s.name)
		if s.tests {
			tested = append(tested, "./internal/samples/"+s.name)
		}
	}
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, s := range all {
		if !s.runs {
			continue
		}
		c := exec.Command(filepath.Join(bin, "samples"), s.name)
		c.Dir = t.TempDir()
		out, err := c.CombinedOutput()
		if err != nil || s.output != "" && !shows(s.output, string(out)) {
			t.Errorf("%s: %v, printed\n%s\nthe page has\n%s", s.where, err, out, s.output)
		}
	}
	for _, path := range tested { // not by go test, which would go to a folder that is not there
		file := filepath.Join(bin, filepath.Base(path)+".test")
		if out, err := exec.Command("go", "test", "-overlay", laid, "-vet=off", "-c", "-o", file, path).CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		if out, err := exec.Command(file, "-test.v").CombinedOutput(); err != nil || !strings.Contains(string(out), "--- PASS") {
			t.Errorf("%v\n%s", err, out)
		}
	}
}

// shows tells whether text is what a page shows, in which … stands for anything in a line.
func shows(page, text string) bool {
	pattern := strings.ReplaceAll(regexp.QuoteMeta(strings.TrimSpace(page)), "…", ".*")
	return regexp.MustCompile(`\A` + pattern + `\z`).MatchString(strings.TrimSpace(text))
}

// TestDocsIntegrations wants each integration to fit into ten lines.
func TestDocsIntegrations(t *testing.T) {
	const page = "docs/integrations.md"
	all := blocks(page, pages(t)[page])
	if len(all) < 10 {
		t.Errorf("%s has %d blocks", page, len(all))
	}
	for _, b := range all {
		if n := strings.Count(b.txt, "\n"); b.lang == "go" && n > 10 {
			t.Errorf("%s:%d: %d lines of Go, of at most 10", page, b.line, n)
		}
	}
}

var (
	link    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading = regexp.MustCompile(`(?m)^#+ (.*)$`)
	code    = regexp.MustCompile("(?ms)^(?:```.*?\n```|    .*?)$")
)

// TestDocsLinks wants what the documents link to in the repository to be there, headings included.
func TestDocsLinks(t *testing.T) {
	texts := pages(t)
	for page, text := range texts {
		for _, found := range link.FindAllStringSubmatch(code.ReplaceAllString(text, ""), -1) {
			target, anchor, _ := strings.Cut(found[1], "#")
			if strings.Contains(target, "://") {
				continue
			}
			path := page
			if target != "" {
				path = filepath.ToSlash(filepath.Join(filepath.Dir(page), target))
			}
			if _, err := os.Stat(path); err != nil {
				t.Errorf("%s: %s: %v", page, found[1], err)
			} else if anchor != "" && !slices.Contains(anchors(texts[path]), anchor) {
				t.Errorf("%s: %s: no such heading, only %v", page, found[1], anchors(texts[path]))
			}
		}
	}
}

// TestDocsIndex wants every page in the index.
func TestDocsIndex(t *testing.T) {
	texts := pages(t)
	for page := range texts {
		name, ok := strings.CutPrefix(page, "docs/")
		if ok && name != "README.md" && !strings.Contains(texts["docs/README.md"], "("+name+")") {
			t.Errorf("docs/README.md has no link to %s", name)
		}
	}
}

// anchors are a page's headings as links have them.
func anchors(text string) (all []string) {
	for _, found := range heading.FindAllStringSubmatch(code.ReplaceAllString(text, ""), -1) {
		name := strings.ToLower(found[1])
		name = regexp.MustCompile(`[^\p{L}\p{N} _-]`).ReplaceAllString(name, "")
		all = append(all, strings.ReplaceAll(name, " ", "-"))
	}
	return all
}
