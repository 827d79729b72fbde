package main

import (
	"errors"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"

	"github.com/zeroae/zae-limiter-go/internal/alltests"
)

// completions are command lines up to the cursor, with the candidates for the last word.
var completions = []struct{ line, want string }{
	{"acq", "acquire"},
	{"entity s", "set-parent show set-limits"},
	{"-N system ent", "entity"},
	{"-Nsystem ent", "entity"},
	{"--namespace=system ent", "entity"},
	{"acquire a b --over", "--override"},
	{"entity create x --no", "--no-cascade"},
	{"acquire a b -o ", "table json yaml"},
	{"acquire a b --output j", "json"},
	{"acquire a b --output=j", "--output=json"},
	{"acquire a b --no-such=", ""},
	{"--output ", "table json yaml"},
	{"--output json entity s", "set-parent show set-limits"},
	{"--output=y", "--output=yaml"},
	{"acquire a b --wait ", ""},
	{"acquire a b -- x", ":files"},
	{"completion ", "bash zsh fish"},
	{"completion fi", "fish"},
	{"completion fish ", ""},
	{"system delete-defaults -y --store", "--store"},
	{"nosuch ent", "entity"},
	{"comple", "completion"},
	{"--names", "--namespace"},
}

func TestComplete(t *testing.T) {
	for _, c := range completions {
		words := strings.Split(c.line, " ")
		var got []string
		for line := range strings.Lines(newShell(t).want(exitDone, append([]string{"complete", "--"}, words...)...).out) {
			word, _, _ := strings.Cut(strings.TrimSpace(line), "\t")
			got = append(got, word)
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%q: %q, not %q", c.line, got, c.want)
		}
	}
}

// TestCompleteKnowsAll checks that every command and flag is a candidate.
func TestCompleteKnowsAll(t *testing.T) {
	var helped bool
	parser, err := kong.New(&cli{}, options(newShell(t).world(), &helped)...)
	if err != nil {
		t.Fatal(err)
	}
	for _, leaf := range parser.Model.Leaves(true) {
		words := strings.Fields(strings.TrimPrefix(leaf.FullPath(), "zae-limiter "))
		if !slices.ContainsFunc(complete(parser.Model.Node, words), func(o candidate) bool { return o.word == leaf.Name }) {
			t.Errorf("%v is not offered", words)
		}
		offers := complete(parser.Model.Node, append(words, "--"))
		for _, flags := range leaf.AllFlags(true) {
			for _, flag := range flags {
				if !slices.ContainsFunc(offers, func(o candidate) bool { return o.word == "--"+flag.Name }) {
					t.Errorf("--%s is not offered for %v", flag.Name, words)
				}
			}
		}
	}
}

// shells are scripts that make a shell complete $LINE and print the candidates, one a line.
var shells = []struct{ name, script string }{
	{"bash", `source <(zae-limiter completion bash)
		COMP_LINE=$LINE COMP_POINT=${#LINE}
		_zae_limiter
		printf '%s\n' "${COMPREPLY[@]}"`},
	{"zsh", `compdef() { }
		_describe() { for o in ${(P)3}; do print -r -- ${o%%:*}; done }
		_files() { print :files }
		compset() { }
		source <(zae-limiter completion zsh)
		words=("${(@s: :)LINE}") CURRENT=${#words}
		_zae_limiter`},
	{"fish", `zae-limiter completion fish | source
		complete -C "$LINE" | string replace -r '\t.*' ''`},
}

// TestCompletionInShells completes command lines in each installed shell, with the script that is printed for it.
func TestCompletionInShells(t *testing.T) {
	alltests.Only(t)
	t.Parallel()
	for _, s := range shells {
		t.Run(s.name, func(t *testing.T) {
			path, err := exec.LookPath(s.name)
			if err != nil {
				t.Skipf("%s is not installed", s.name)
			}
			for _, c := range []struct{ line, want string }{
				{"acq", "acquire"},
				{"entity s", "set-limits set-parent show"},
				{"acquire a b -o ", "json table yaml"},
				{"acquire a b --output=j", "--output=json"},
				{"acquire a b --wait ", ""},
			} {
				if s.name == "bash" {
					c.want = strings.TrimPrefix(c.want, "--output=") // bash completes the part after it
				}
				shell := exec.Command(path, "-c", s.script)
				shell.Env = append(os.Environ(), "LINE=zae-limiter "+c.line, "HOME="+t.TempDir(), "XDG_CONFIG_HOME="+t.TempDir())
				out, err := shell.CombinedOutput()
				var exit *exec.ExitError // some shells exit with 1 if there are no candidates
				if err != nil && !errors.As(err, &exit) {
					t.Fatal(err)
				}
				got := strings.Fields(string(out))
				slices.Sort(got)
				if strings.Join(got, " ") != c.want {
					t.Errorf("%q: %q, not %q", c.line, got, c.want)
				}
			}
		})
	}
}
