package manifest

import (
	"fmt"
	"slices"
	"strings"
)

// Position is a position in a manifest, counted from 1.
type Position struct{ Line, Column int }

// Problem is an error in a manifest.
type Problem struct {
	At   Position // the zero Position if it has no position
	Path string   // for example "resources.gpt-4.limits.rpm"; empty for the whole manifest
	Text string
}

// Problems lists all errors in a manifest. Nothing was changed.
type Problems struct {
	File   string
	Stored bool // the manifest is valid, but conflicts with the stored configuration
	List   []Problem
}

// Lines returns the problems, one a line, in the order of the file: FILE:LINE:COLUMN: PATH: what is wrong: what to do.
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

// Error returns all lines.
func (p *Problems) Error() string { return "manifest: " + strings.Join(p.Lines(), "\n") }

// orNil returns the problems as an error, sorted by position, or nil if there are none.
func (p *Problems) orNil() error {
	if len(p.List) == 0 {
		return nil
	}
	slices.SortStableFunc(p.List, func(a, b Problem) int { return compare(a.At, b.At) })
	seen := map[Problem]bool{} // an error in an anchor's value occurs wherever the anchor is used
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
