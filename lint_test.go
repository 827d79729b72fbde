package zaelimiter_test

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// source is one Go file, and what the rules ask of it.
type source struct {
	path   string // from the root, with slashes
	text   []byte
	tokens *token.FileSet
	*ast.File
}

func (s source) isTest() bool    { return strings.HasSuffix(s.path, "_test.go") }
func (s source) isCommand() bool { return s.Name.Name == "main" }
func (s source) base() string    { return path.Base(s.path) }

// in tells whether the file is one of places, or in a folder among them.
func (s source) in(places ...string) bool {
	return slices.ContainsFunc(places, func(p string) bool { return within(p, s.path) })
}

func (s source) lines(n ast.Node) int {
	return s.tokens.Position(n.End()).Line - s.tokens.Position(n.Pos()).Line + 1
}

// rule is a habit of the house that needs no type information.
type rule struct {
	name     string
	check    func(s source, complain complain) // complains, with the cure, of all that breaks the rule
	examples []string                          // "path: code" that breaks it once
}

type complain func(at ast.Node, cure string)

var rules = []rule{
	{"Clock", checkClock, []string{
		`engine/limiter.go: import "time"; var t = time.Now()`,
		`backend/bolt/bolt.go: import clock "time"; var f = clock.Since`,
	}},
	{"Sleep", checkSleep, []string{
		`engine/limiter_test.go: import "time"; func f() { time.Sleep(1) }`,
		`engine/limiter.go: import "time"; func f() { <-time.After(1); select { case <-time.After(1): } }`,
	}},
	{"Errors", checkErrors, []string{
		`engine/limiter.go: import "errors"; var err = errors.New("engine: odd")`,
		`engine/limiter.go: import "fmt"; var a, b = fmt.Errorf("odd "+"%d", 1), fmt.Errorf("%w", err)`,
	}},
	{"Length", checkLength, []string{
		"engine/limiter.go: " + strings.Repeat("\n", 300),
		"engine/limiter_test.go: " + strings.Repeat("\n", 400),
		"engine/limiter.go: func f() {" + strings.Repeat("\n", 60) + "}",
	}},
	{"Comments", checkComments, []string{
		"engine/limiter.go: func New() {}",
		"engine/limiter.go: func (*Limiter[T]) Close() {}",
		"engine/limiter.go: var A, B int",
		"engine/limiter.go: // B is.\ntype B interface{ Close() error; unexported() }",
		"engine/limiter.go: // Options is.\ntype Options struct{ Size int }",
	}},
	{"Skips", checkSkips, []string{`conformance/read.go: func f(t T) { t.Skipf("no") }`}},
	{"Floats", checkFloats, []string{
		"engine/bucket/bucket.go: var x float64",
		"backend/num/div.go: var x = 1e3",
	}},
	{"Unfinished", checkUnfinished, []string{"engine/limiter.go: // TO" + "DO: more"}},
}

// TestLint holds every Go file of the repository to the rules.
func TestLint(t *testing.T) {
	files := sources(t)
	for _, r := range rules {
		t.Run(r.name, func(t *testing.T) {
			for _, s := range files {
				r.check(s, func(at ast.Node, cure string) { t.Errorf("%s: %s", s.tokens.Position(at.Pos()), cure) })
			}
		})
	}
}

// TestLintFires proves that each rule can fail.
func TestLintFires(t *testing.T) {
	for _, r := range rules {
		for _, example := range r.examples {
			name, code, _ := strings.Cut(example, ": ")
			fired := 0
			r.check(parse(t, name, []byte("package p\n"+code)), func(ast.Node, string) { fired++ })
			if fired != 1 {
				t.Errorf("%s complained %d times, not once, of %q", r.name, fired, example)
			}
		}
	}
}

// sources parses every Go file of the repository, the other modules included.
func sources(t *testing.T) []source {
	t.Helper()
	var files []source
	err := filepath.WalkDir(".", func(name string, entry fs.DirEntry, err error) error {
		hidden := strings.HasPrefix(entry.Name(), ".") && name != "."
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (hidden || entry.Name() == "testdata"):
			return filepath.SkipDir
		case entry.IsDir() || path.Ext(name) != ".go":
			return nil
		}
		text, err := os.ReadFile(name)
		if err == nil {
			files = append(files, parse(t, filepath.ToSlash(name), text))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func parse(t *testing.T, name string, text []byte) source {
	t.Helper()
	tokens := token.NewFileSet()
	file, err := parser.ParseFile(tokens, name, text, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	return source{name, text, tokens, file}
}

// uses returns every mention of a name of an imported package, whatever the package is called in the file.
func (s source) uses(imported string, names ...string) []*ast.SelectorExpr {
	local := ""
	for _, spec := range s.Imports {
		if p, err := strconv.Unquote(spec.Path.Value); err == nil && p == imported {
			local = path.Base(p)
			if spec.Name != nil {
				local = spec.Name.Name
			}
		}
	}
	var found []*ast.SelectorExpr
	for n := range ast.Preorder(s.File) {
		selector, ok := n.(*ast.SelectorExpr)
		if !ok || local == "" || !slices.Contains(names, selector.Sel.Name) {
			continue
		}
		if pkg, ok := selector.X.(*ast.Ident); ok && pkg.Name == local {
			found = append(found, selector)
		}
	}
	return found
}

func checkClock(s source, complain complain) {
	if s.isTest() || s.in("engine/options.go", "internal/pause/left.go", "aggregator/options.go", "stack/options.go", "cmd/zae-limiter/app.go", "conformance/virtual.go", "grpclimit/options.go", "httplimit/options.go", "otellimit/options.go", "bench") {
		return
	}
	for _, use := range s.uses("time", "Now", "Since", "Until") {
		complain(use, "the default clock is chosen in engine/options.go; take the time as an argument or call Options.Now")
	}
}

func checkSleep(s source, complain complain) {
	if s.in("bench/peers") {
		return
	}
	for _, use := range s.uses("time", "Sleep") {
		complain(use, "nothing waits for time to pass: code takes a context and Options.Sleep, a test sets the clock or waits for an event")
	}
	after, cases := s.uses("time", "After"), map[ast.Stmt]bool{}
	for n := range ast.Preorder(s.File) {
		switch n := n.(type) {
		case *ast.CommClause:
			cases[n.Comm] = true
		case *ast.ExprStmt:
			receive, ok := n.X.(*ast.UnaryExpr)
			if ok && !cases[n] && isCall(receive.X, after) {
				complain(n, "this is a sleep by another name: set the clock, or wait for an event in a select")
			}
		}
	}
}

// isCall tells whether e calls one of functions.
func isCall(e ast.Node, functions []*ast.SelectorExpr) bool {
	call, ok := e.(*ast.CallExpr)
	if !ok {
		return false
	}
	function, ok := call.Fun.(*ast.SelectorExpr)
	return ok && slices.Contains(functions, function)
}

func checkErrors(s source, complain complain) {
	if s.isTest() || s.base() == "errors.go" || s.in("bench/peers") {
		return
	}
	for _, use := range s.uses("errors", "New") {
		complain(use, "a package's errors stand together in its errors.go, where a caller finds what to test for")
	}
	formats := s.uses("fmt", "Errorf")
	for n := range ast.Preorder(s.File) {
		if isCall(n, formats) && !strings.Contains(literal(n.(*ast.CallExpr).Args[0]), "%w") {
			complain(n, "nobody can test for this error: wrap a sentinel or a type of the package's errors.go with %w")
		}
	}
}

// literal is the text of the string literals in e.
func literal(e ast.Expr) string {
	var text strings.Builder
	for n := range ast.Preorder(e) {
		if part, ok := n.(*ast.BasicLit); ok {
			text.WriteString(part.Value)
		}
	}
	return text.String()
}

func checkLength(s source, complain complain) {
	most, lines := map[bool]int{false: 300, true: 400}[s.isTest()], len(slices.Collect(bytes.Lines(s.text)))
	if lines > most {
		complain(s.Name, fmt.Sprintf("%d lines, of %d at most: what is the second subject in here? It gets a file of its own", lines, most))
	}
	for _, decl := range s.Decls {
		if f, ok := decl.(*ast.FuncDecl); ok && !s.isTest() && s.lines(f) > 60 {
			complain(f, fmt.Sprintf("%s has %d lines, of 60 at most: name its steps", f.Name.Name, s.lines(f)))
		}
	}
}

// customary are methods that say by their name all that there is to say.
var customary = []string{"Error", "String", "Unwrap", "Is"}

func checkComments(s source, complain complain) {
	if s.isTest() || s.isCommand() {
		return
	}
	want := func(id *ast.Ident, comments ...*ast.CommentGroup) {
		if id.IsExported() && !slices.ContainsFunc(comments, func(c *ast.CommentGroup) bool { return c.Text() != "" }) {
			complain(id, id.Name+" is exported and has no comment that says what a caller may count on")
		}
	}
	for _, decl := range s.Decls {
		f, ok := decl.(*ast.FuncDecl)
		if ok && (f.Recv == nil || receiver(f).IsExported() && !slices.Contains(customary, f.Name.Name)) {
			want(f.Name, f.Doc)
		}
		d, ok := decl.(*ast.GenDecl)
		for i := 0; ok && i < len(d.Specs); i++ {
			switch spec := d.Specs[i].(type) {
			case *ast.TypeSpec:
				want(spec.Name, d.Doc, spec.Doc, spec.Comment)
				wantFields(spec, want)
			case *ast.ValueSpec:
				want(spec.Names[0], d.Doc, spec.Doc, spec.Comment)
			}
		}
	}
}

// wantFields wants a comment on each method of an interface and on each field of options.
func wantFields(spec *ast.TypeSpec, want func(*ast.Ident, ...*ast.CommentGroup)) {
	var fields []*ast.Field
	switch shape := spec.Type.(type) {
	case *ast.InterfaceType:
		if shape.Methods.NumFields() > 1 { // else the type's own comment is about the method
			fields = shape.Methods.List
		}
	case *ast.StructType:
		if strings.HasSuffix(spec.Name.Name, "Options") {
			fields = shape.Fields.List
		}
	}
	for _, field := range fields {
		for _, name := range field.Names {
			if spec.Name.IsExported() {
				want(name, field.Doc, field.Comment)
			}
		}
	}
}

// receiver is the name of a method's type, without pointer and type parameters.
func receiver(f *ast.FuncDecl) *ast.Ident {
	for n := range ast.Preorder(f.Recv.List[0].Type) {
		if id, ok := n.(*ast.Ident); ok {
			return id
		}
	}
	return nil
}

func checkSkips(s source, complain complain) {
	if !s.in("conformance") {
		return
	}
	for n := range ast.Preorder(s.File) {
		if use, ok := n.(*ast.SelectorExpr); ok && slices.Contains([]string{"Skip", "Skipf", "SkipNow"}, use.Sel.Name) {
			complain(use, "the suite skips nothing: a power that not every store has gets a runner of its own")
		}
	}
}

func checkFloats(s source, complain complain) {
	if s.isTest() || !s.in("engine/bucket", "backend/num") {
		return
	}
	for n := range ast.Preorder(s.File) {
		id, _ := n.(*ast.Ident)
		number, _ := n.(*ast.BasicLit)
		if id != nil && (id.Name == "float64" || id.Name == "float32") || number != nil && number.Kind == token.FLOAT {
			complain(n, "the arithmetic is exact: whole numbers only")
		}
	}
}

var unfinished = regexp.MustCompile(`\b(` + "TO" + `DO|FIX` + `ME|XX` + `X)\b`)

func checkUnfinished(s source, complain complain) {
	if found := unfinished.Find(s.text); found != nil {
		complain(s.Name, fmt.Sprintf("%s: finish it, or open an issue and leave the code without it", found))
	}
}

// denial is what makes a sentence say what something is not.
var denial = regexp.MustCompile(`(?i)\b(not|no|never|nothing|nobody|none|neither|nor|nowhere|without|cannot)\b|n't\b`)

// TestLintDoc wants a doc.go in every package, whose first sentence says what it is and whose last what it is not.
func TestLintDoc(t *testing.T) {
	docs, packages := map[string]string{}, map[string]source{}
	for _, s := range sources(t) {
		if !s.isTest() {
			packages[path.Dir(s.path)] = s
		}
		if s.base() == "doc.go" {
			docs[path.Dir(s.path)] = strings.TrimSpace(s.Doc.Text())
		}
	}
	for folder, p := range packages {
		text := docs[folder]
		sentences := regexp.MustCompile(`[.!?](\s+|$)`).Split(strings.TrimRight(text, ".!?"), -1)
		switch first := "Package " + p.Name.Name + " "; {
		case text == "":
			t.Errorf("%s has no doc.go with a package comment", folder)
		case p.isCommand():
		case !strings.HasPrefix(new(doc.Package).Synopsis(text), first):
			t.Errorf("%s/doc.go: the first sentence says what the package is: %q", folder, first+"...")
		case folder != "." && !denial.MatchString(sentences[len(sentences)-1]):
			t.Errorf("%s/doc.go: the last sentence says what the package is not, or does not do", folder)
		}
	}
}

// TestLintDrivers wants the same things under the same file names in every driver's folder; the file named after the
// driver may hold anything. Package num, beside them, is no driver.
func TestLintDrivers(t *testing.T) {
	files, wanted, homes := map[string]bool{}, map[string]bool{}, map[string]string{} // homes: method of Store to file
	for _, s := range sources(t) {
		folder := path.Dir(s.path)
		if path.Dir(folder) != "backend" || folder == "backend/num" || s.isTest() {
			continue
		}
		files[s.path] = true
		wanted[folder+"/list.go"], wanted[folder+"/"+path.Base(folder)+".go"] = true, true
		for _, decl := range s.Decls {
			f, ok := decl.(*ast.FuncDecl)
			if !ok || f.Recv == nil || receiver(f).Name != "Store" || !f.Name.IsExported() || s.base() == path.Base(folder)+".go" {
				continue
			}
			if home := homes[f.Name.Name]; home != "" && path.Base(home) != s.base() {
				t.Errorf("%s has %s, and the same is in %s: drivers are read side by side", s.path, f.Name.Name, home)
			}
			homes[f.Name.Name] = s.path
		}
	}
	for name := range wanted {
		if !files[name] {
			t.Errorf("%s is missing: drivers are read side by side", name)
		}
	}
}
