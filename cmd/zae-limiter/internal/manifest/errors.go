package manifest

import (
	"fmt"
	"slices"
	"strings"
)

// Position is a place in a manifest, counted from 1.
type Position struct{ Line, Column int }

// Problem is one thing that is wrong with a manifest, with its cure.
type Problem struct {
	At   Position // the zero Position for what stands nowhere
	Path string   // of the thing: "resources.gpt-4.limits.rpm"; "" for the whole
	Text string
}

// Problems are all that is wrong with a manifest. Nothing was changed.
type Problems struct {
	File   string
	Stored bool // the manifest is well formed, but cannot be put in force beside what is stored
	List   []Problem
}

// Lines are the problems, one a line, in the order of the file: FILE:LINE:COLUMN: PATH: what is wrong; the cure.
func (p *Problems) Lines() []string {
	lines := make([]string, len(p.List))
	for i, one := range p.List {
		lines[i] = p.File + ": "
		if one.At.Line > 0 {
			lines[i] = fmt.Sprintf("%s:%d:%d: ", p.File, one.At.Line, one.At.Column)
		}
		if one.Path != "" {
			lines[i] += one.Path + ": "
		}
		lines[i] += one.Text
	}
	return lines
}

// Error is all lines.
func (p *Problems) Error() string { return "manifest: " + strings.Join(p.Lines(), "\n") }

// orNil is the problems as an error, in the order of the file.
func (p *Problems) orNil() error {
	if len(p.List) == 0 {
		return nil
	}
	slices.SortStableFunc(p.List, func(a, b Problem) int { return compare(a.At, b.At) })
	seen := map[Problem]bool{} // what stands in an alias is found wherever that is used
	p.List = slices.DeleteFunc(p.List, func(one Problem) bool {
		once := Problem{At: one.At, Text: one.Text}
		defer func() { seen[once] = true }()
		return seen[once]
	})
	return p
}

func (p *Problems) add(at Position, path, format string, args ...any) {
	p.List = append(p.List, Problem{at, path, fmt.Sprintf(format, args...)})
}
