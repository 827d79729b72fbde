package main

import (
	"strings"
	"testing"
	"testing/synctest"

	"github.com/alecthomas/kong"
)

// commands returns all commands of the tree by their path.
func commands(t *testing.T) map[string]*kong.Node {
	t.Helper()
	var helped bool
	parser, err := kong.New(&cli{}, options(newShell(t).world(), &helped)...)
	if err != nil {
		t.Fatal(err)
	}
	nodes := map[string]*kong.Node{}
	for _, leaf := range parser.Model.Leaves(true) {
		nodes[strings.TrimPrefix(leaf.FullPath(), "zae-limiter ")] = leaf
	}
	return nodes
}

// examples returns the command lines in a command's help.
func examples(n *kong.Node) (lines []string) {
	for line := range strings.Lines(n.Detail) {
		if example, ok := strings.CutPrefix(line, "    zae-limiter "); ok {
			lines = append(lines, strings.TrimSpace(example))
		}
	}
	return lines
}

func TestHelp(t *testing.T) {
	names := map[string]bool{"help/zae-limiter.txt": true}
	golden(t, "help/zae-limiter.txt", newShell(t).want(exitDone, "--help").out)
	for path := range commands(t) {
		name := "help/" + strings.ReplaceAll(path, " ", "_") + ".txt"
		names[name] = true
		golden(t, name, newShell(t).want(exitDone, append(strings.Fields(path), "--help")...).out)
	}
	goldenFiles(t, "help", names)
}

func TestHelpWithoutArguments(t *testing.T) {
	s := newShell(t)
	if bare, asked := s.want(exitDone), s.want(exitDone, "--help"); bare != asked {
		t.Errorf("without arguments:\n%s", bare.out)
	}
}

// TestHelpManual checks that each section of the manual belongs to a command.
func TestHelpManual(t *testing.T) {
	known := commands(t)
	sections := manualSections()
	for name := range sections {
		if known[name] == nil && !strings.HasPrefix(manual, name) { // the text before the first section has no command
			t.Errorf("help.txt has a section for %q, which is no command", name)
		}
	}
	if len(sections) != len(known)+1 {
		t.Errorf("help.txt has %d sections for %d commands", len(sections)-1, len(known))
	}
}

// TestHelpExamples runs every example in the help on a store that has the objects in the examples.
func TestHelpExamples(t *testing.T) {
	port := fakeDocker(t)
	for path, command := range commands(t) {
		lines := examples(command)
		if len(lines) == 0 {
			t.Errorf("the help of %s has no example", path)
		}
		inFolder(t, "limits.yaml", inhabited(t).want(exitDone, "limits", "export").out)
		run := func(t *testing.T) {
			s := inhabited(t)
			if command.ClosestGroup().Key == "infrastructure" {
				s = deployment(t).shell
				t.Chdir(t.TempDir()) // some write files
			}
			s.env["ZAE_LIMITER_LOCAL_PORT"] = port
			s.virtual = path == "loadtest"
			for _, line := range lines {
				if !strings.HasPrefix(line, path+" ") && line != path {
					t.Errorf("the help of %s shows another command: %s", path, line)
				}
				s.want(exitDone, fields(line)...)
			}
		}
		if path == "loadtest" {
			synctest.Test(t, run)
		} else {
			t.Run(path, run)
		}
	}
}
