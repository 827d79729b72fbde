package manifest

import (
	"errors"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// Bounds of what a file takes: the parser needs the square of the depth in memory, and mappings that merge each other multiply.
const (
	maxDepth  = 100
	maxMerges = 1_000_000
)

// document returns the only document in a file; false if it cannot be parsed.
func (r *reader) document(text []byte) (value, bool) {
	if !utf8.Valid(text) {
		r.add(Position{1, 1}, "", "is not valid UTF-8: save it as UTF-8")
		return value{}, false
	}
	tokens := lexer.Tokenize(strings.TrimPrefix(string(text), "\ufeff"))
	if deep := tooDeep(tokens); deep != nil {
		r.add(positionOf(deep), "", "is nested too deeply: at most %d levels are allowed", maxDepth)
		return value{}, false
	}
	parsed, err := parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		at, what := Position{1, 1}, err.Error()
		if syntax := (*yaml.SyntaxError)(nil); errors.As(err, &syntax) {
			at, what = positionOf(syntax.Token), strings.ReplaceAll(syntax.Message, "\t", `\t`)
		}
		r.add(at, "", "invalid YAML: %s: check the indentation and the quotes in this line and the one above", what)
		return value{}, false
	}
	docs := slices.DeleteFunc(parsed.Docs, func(d *ast.DocumentNode) bool { return isEmpty(d.Body) })
	if len(docs) == 0 {
		r.add(Position{1, 1}, "", "is empty: write at least: system: {limits: {rpm: 100}}")
		return value{}, false
	}
	for _, more := range docs[1:] {
		r.add(r.at(more.Body), "", "second document: write each document to a file of its own")
	}
	ast.Walk(anchorsOf{r}, docs[0].Body)
	return value{docs[0].Body, ""}, true
}

// isEmpty reports whether a document has no content. The parser returns a directive such as %YAML as a document of its own.
func isEmpty(body ast.Node) bool {
	switch body.(type) {
	case nil, *ast.NullNode, *ast.DirectiveNode:
		return true
	}
	return false
}

// tooDeep returns the first token that is nested too deeply, or nil. Block lists of one line are nested without brackets.
func tooDeep(tokens token.Tokens) *token.Token {
	brackets, line, dashes := 0, 0, 0
	for _, t := range tokens {
		if t.Position != nil && t.Position.Line != line {
			line, dashes = t.Position.Line, 0
		}
		switch t.Type {
		case token.MappingStartType, token.SequenceStartType:
			brackets++
		case token.MappingEndType, token.SequenceEndType:
			brackets--
		case token.SequenceEntryType, token.MappingKeyType:
			dashes++
		}
		if brackets+dashes > maxDepth {
			return t
		}
	}
	return nil
}

// anchorsOf collects anchors.
type anchorsOf struct{ *reader }

// Visit implements [ast.Visitor].
func (a anchorsOf) Visit(n ast.Node) ast.Visitor {
	if anchor, ok := n.(*ast.AnchorNode); ok && anchor.Name != nil {
		name := anchor.Name.GetToken().Value
		if _, twice := a.anchors[name]; twice {
			a.add(a.at(n), "", "duplicate anchor &%s: rename one of them", name)
		}
		a.anchors[name] = anchor.Value
	}
	return a
}
