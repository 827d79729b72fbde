package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"github.com/alecthomas/kong"

	"github.com/zeroae/zae-limiter-go/internal/alltests"
)

// The command lines in the documents are run, or at least parsed. In a block
//
//	```console
//	$ zae-limiter acquire alice gpt-4 -c rpm=1 -l rpm:2/day
//	…
//	```
//
// the lines after a command are its expected output, in which … matches anything; a command without output must succeed. One
// shell with its own home directory runs the blocks of a page in order. Blocks after <!-- needs AWS --> (or anything else) are
// not run: like all other blocks, they are only parsed.
var (
	docBlock   = regexp.MustCompile("(?ms)^(<!-- needs [^>]* -->\n\n?)?```([a-z]*)\n(.*?\n)```$")
	docCommand = regexp.MustCompile(`(?m)(?:^|["'( ]|\$\(|cmd/)zae-limiter ((?:"[^"\n]*"|'[^'\n]*'|[^|;&>)#"'\n])*)`)
	indented   = regexp.MustCompile(`(?m)^    (?:\$ )?(.*zae-limiter .*)$`)
)

// docs returns the paths of the pages whose command lines are checked.
func docs(t *testing.T) map[string]string {
	t.Helper()
	names, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	texts := map[string]string{}
	for _, name := range append(names, "../../README.md") {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if filepath.Base(name) != "cli.md" { // the page has usage lines; its examples are those of the help
			texts[name] = strings.ReplaceAll(string(text), "\\\n", " ")
		}
	}
	return texts
}

// step is one command of a page with its expected output.
type step struct{ command, shown string }

func steps(text string) (all []step) {
	for _, b := range docBlock.FindAllStringSubmatch(text, -1) {
		if b[1] != "" || b[2] != "console" {
			continue
		}
		for line := range strings.Lines(b[3]) {
			if command, ok := strings.CutPrefix(line, "$ "); ok {
				all = append(all, step{command: strings.TrimSpace(command)})
			} else {
				all[len(all)-1].shown += line
			}
		}
	}
	return all
}

// TestDocsCommands runs the console blocks of each page.
func TestDocsCommands(t *testing.T) {
	alltests.Only(t)
	if runtime.GOOS == "windows" {
		t.Skip("the documents' shell is bash")
	}
	for page, text := range docs(t) {
		all := steps(text)
		if len(all) == 0 {
			continue
		}
		t.Run(strings.TrimSuffix(filepath.Base(page), ".md"), func(t *testing.T) {
			t.Parallel()
			script := "cd \"$HOME\"\n"
			for _, s := range all {
				script += fmt.Sprintf("(exit $code)\n%s\ncode=$?; printf '\\0%%d\\0' $code\n", s.command)
			}
			home := t.TempDir()
			shell := exec.Command("bash", "-c", "exec 2>&1\ncode=0\n"+script)
			shell.Env = append(docEnvironment(), "HOME="+home, "XDG_DATA_HOME=", "USER=ann")
			out, err := shell.Output()
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			parts := bytes.Split(out, []byte{0})
			for i, s := range all {
				if len(parts) < 2*i+2 {
					t.Fatalf("the shell ended before: %s\n%s", s.command, out)
				}
				got, code := strings.ReplaceAll(string(parts[2*i]), home, "~"), string(parts[2*i+1])
				if s.shown == "" && code != "0" || s.shown != "" && !showsAs(s.shown, got) {
					t.Errorf("%s: exit code %s\n%s\nthe page has\n%s", s.command, code, got, s.shown)
				}
			}
		})
	}
}

// docEnvironment returns this process's environment without variables that select a store.
func docEnvironment() (kept []string) {
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "ZAE_LIMITER_") && !strings.HasPrefix(v, "AWS_") {
			kept = append(kept, v)
		}
	}
	return kept
}

// showsAs reports whether text matches the output on a page, in which … matches anything in a line, and a line … any lines.
func showsAs(page, text string) bool {
	pattern := regexp.QuoteMeta(strings.TrimSpace(page))
	pattern = regexp.MustCompile(`(?m)^…$`).ReplaceAllString(pattern, "(?s:.*)")
	pattern = strings.ReplaceAll(pattern, "…", ".*")
	return regexp.MustCompile(`\A` + pattern + `\z`).MatchString(strings.TrimSpace(text))
}

// TestDocsCommandsParse parses every command line in a block of the documents.
func TestDocsCommandsParse(t *testing.T) {
	t.Parallel()
	n := 0
	for page, text := range docs(t) {
		var lines []string
		for _, b := range docBlock.FindAllStringSubmatch(text, -1) {
			if b[2] == "go" || b[2] == "text" {
				continue
			}
			for line := range strings.Lines(b[3]) {
				if b[2] != "console" || strings.HasPrefix(line, "$ ") {
					lines = append(lines, strings.TrimPrefix(line, "$ "))
				}
			}
		}
		for _, found := range indented.FindAllStringSubmatch(docBlock.ReplaceAllString(text, ""), -1) {
			lines = append(lines, found[1])
		}
		for _, line := range lines {
			for _, found := range docCommand.FindAllStringSubmatch(line, -1) {
				n++
				if err := parses(t, fields(strings.TrimRight(strings.ReplaceAll(found[1], "'", `"`), " "))); err != nil {
					t.Errorf("%s: zae-limiter %s: %v", filepath.Base(page), found[1], err)
				}
			}
		}
	}
	if n < 10 {
		t.Errorf("found %d command lines only", n)
	}
}

// parses parses a command line without running it.
func parses(t *testing.T, args []string) error {
	t.Helper()
	var helped bool
	parser, err := kong.New(&cli{}, append(options(newShell(t).world(), &helped), kong.Writers(io.Discard, io.Discard))...)
	if err != nil {
		t.Fatal(err)
	}
	_, err = parser.Parse(args)
	if helped {
		return nil
	}
	return err
}

// TestDocsShow checks that the comparison can fail.
func TestDocsShow(t *testing.T) {
	for _, c := range []struct {
		page, text string
		want       bool
	}{
		{"a b\n", "a b", true},
		{"a b", "a c", false},
		{"try again in …s", "try again in 12s", true},
		{"try again in …s", "try again in 12s\nmore", false},
		{"a\n…\nz", "a\nb\nc\nz", true},
		{"a*", "aa", false},
	} {
		if showsAs(c.page, c.text) != c.want {
			t.Errorf("%q shows %q: %v", c.page, c.text, !c.want)
		}
	}
}
