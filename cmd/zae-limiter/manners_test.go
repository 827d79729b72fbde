package main

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/alecthomas/kong"

	"github.com/zeroae/zae-limiter-go/internal/alltests"
)

// silent has the commands without --output, with what they print instead of a document.
var silent = map[string]string{
	"completion": "a script", "local up": "lines for a shell",
	"cfn-template": "a template", "lambda-export": "a file", "top": "a live view",
}

// destroys has the last words of destructive commands, which ask for confirmation.
var destroys = regexp.MustCompile(`^(delete|purge)\b`)

// TestMannersOfShownCommands parses every command line in the help, including those that a test cannot run.
func TestMannersOfShownCommands(t *testing.T) {
	for path, command := range commands(t) {
		for _, shown := range indented.FindAllStringSubmatch(command.Detail, -1) {
			for _, found := range docCommand.FindAllStringSubmatch(shown[1], -1) {
				if err := parses(t, fields(strings.TrimRight(strings.ReplaceAll(found[1], "'", `"`), " "))); err != nil {
					t.Errorf("the help of %s: zae-limiter %s: %v", path, found[1], err)
				}
			}
		}
	}
}

// flagsOf returns a command's own flags by name.
func flagsOf(n *kong.Node) map[string]*kong.Flag {
	flags := map[string]*kong.Flag{}
	for ; n.Type != kong.ApplicationNode; n = n.Parent {
		for _, f := range n.Flags {
			flags[f.Name] = f
		}
	}
	return flags
}

// TestMannersOfCommands checks that every command has an example, --output if it prints a result, --yes if it is destructive,
// and help of the same form.
func TestMannersOfCommands(t *testing.T) {
	for path, command := range commands(t) {
		flags := flagsOf(command)
		if len(examples(command)) == 0 {
			t.Errorf("%s: the help has no example", path)
		}
		switch confirmed, printed := flags["yes"], flags["output"]; {
		case destroys.MatchString(command.Name) && confirmed == nil:
			t.Errorf("%s: has no --yes, and takes something away: embed Confirm", path)
		case confirmed != nil && confirmed.Short != 'y':
			t.Errorf("%s: --yes has not the letter -y", path)
		case printed == nil && confirmed == nil && path != "reset" && path != "compact" && path != "local down" && silent[path] == "":
			t.Errorf("%s: has no --output: embed Output, or say in silent what it prints", path)
		case printed != nil && printed.PlaceHolder == "FORMAT" && printed.Enum != "table,json,yaml":
			t.Errorf("%s: --output may be %s, not table, json or yaml", path, printed.Enum)
		}
		wantSentence(t, path, command.Help)
		for name, flag := range flags {
			wantSentence(t, path+" --"+name, flag.Help)
			if !flag.IsBool() && flag.PlaceHolder == "" {
				t.Errorf("%s --%s: has no placeholder that says what its value is", path, name)
			}
		}
		for _, argument := range command.Positional {
			wantSentence(t, path+" "+argument.Name, argument.Help)
		}
	}
}

func wantSentence(t *testing.T, where, help string) {
	t.Helper()
	if help == "" || !strings.HasSuffix(help, ".") {
		t.Errorf("%s: the help does not end with a full stop: %q", where, help)
	}
}

// TestMannersOfFlags checks that a flag has the same letter in all commands, and a letter the same meaning, with the exceptions
// of the Python library.
func TestMannersOfFlags(t *testing.T) {
	letters, names := map[string]map[string]bool{}, map[rune]map[string]bool{}
	note := func(f *kong.Flag) {
		letter := ""
		if f.Short != 0 {
			letter = string(f.Short)
			if names[f.Short] == nil {
				names[f.Short] = map[string]bool{}
			}
			names[f.Short][f.Name] = true
		}
		if letters[f.Name] == nil {
			letters[f.Name] = map[string]bool{}
		}
		letters[f.Name][letter] = true
	}
	for _, command := range commands(t) {
		for _, f := range flagsOf(command) {
			note(f)
		}
	}
	for name, all := range letters {
		// In lists, --limit is the number of entries and has no letter; --force has one only in lambda-export.
		if len(all) > 1 && name != "limit" && name != "force" {
			t.Errorf("--%s has the letters %q: one flag has one letter in all commands", name, slices.Sorted(maps.Keys(all)))
		}
	}
	for letter, all := range names {
		if len(all) > 1 && letter != 'f' { // --file of limits, --force of lambda-export
			t.Errorf("-%c is %v: one letter has one meaning in all commands", letter, slices.Sorted(maps.Keys(all)))
		}
	}
}

// TestMannersOfQuestions runs destructive commands without --yes and without a terminal: they change nothing and name --yes.
func TestMannersOfQuestions(t *testing.T) {
	for path, command := range commands(t) {
		if flagsOf(command)["yes"] == nil {
			continue
		}
		inFolder(t, "limits.yaml", "system: {limits: {rpm: 7}}")
		for _, line := range examples(command) {
			args := slices.DeleteFunc(fields(line), func(arg string) bool { return arg == "--yes" || arg == "-y" })
			if r := inhabited(t).run(args...); r.code != exitFailed || !strings.Contains(r.err, "pass --yes") || r.out != "" {
				t.Errorf("%s: %v: exit code %d, %s", path, args, r.code, r.err)
			}
		}
	}
}

// TestMannersOfHelp checks that help fits into 80 columns; command lines may have 100.
func TestMannersOfHelp(t *testing.T) {
	for path := range commands(t) {
		help := newShell(t).want(exitDone, append(strings.Fields(path), "--help")...).out
		for line := range strings.Lines(help) {
			most := 80
			if strings.HasPrefix(line, "Usage: ") || strings.HasPrefix(line, "    ") {
				most = 100
			}
			if n := len([]rune(strings.TrimRight(line, "\n"))); n > most {
				t.Errorf("%s --help: %d columns, of %d: %s", path, n, most, line)
			}
		}
	}
}

// TestMannersOfMistakes mistypes every command and every flag, and checks that the right one is suggested.
func TestMannersOfMistakes(t *testing.T) {
	alltests.Only(t)
	t.Parallel()
	for path, command := range commands(t) {
		words := strings.Fields(path)
		for i := range words {
			if len(words[i]) < 4 { // too short for a suggestion
				continue
			}
			line := append(slices.Clone(words[:i]), mistype(words[i]))
			if r := newShell(t).want(exitUsage, line...); !suggests(r.err, words[i]) {
				t.Errorf("%v: %s", line, r.err)
			}
		}
		for name := range flagsOf(command) {
			if len(name) < 4 {
				continue
			}
			line := append(slices.Clone(words), "--"+mistype(name))
			if r := newShell(t).want(exitUsage, line...); !suggests(r.err, "--"+name) {
				t.Errorf("%v: %s", line, r.err)
			}
		}
	}
}

// mistype exchanges the last two letters, or doubles one if they are the same.
func mistype(word string) string {
	n := len(word)
	if word[n-1] == word[n-2] || word[n-2] == '-' {
		return word + word[n-1:]
	}
	return word[:n-2] + word[n-1:] + word[n-2:n-1]
}

func suggests(text, word string) bool {
	_, suggested, found := strings.Cut(text, "did you mean ")
	return found && strings.Contains(suggested, fmt.Sprintf("%q", word)) && strings.Count(text, "\n") == 1
}

// TestMannersOfErrors checks that every error is one line, without a package name at its start.
func TestMannersOfErrors(t *testing.T) {
	for _, m := range mistakes {
		r := inhabited(t).run(fields(m.line)...)
		for line := range strings.Lines(r.err) {
			if !strings.HasPrefix(line, "zae-limiter: ") || strings.Contains(line, "engine: ") || strings.Contains(line, "backend: ") {
				t.Errorf("%s: says %q", m.line, line)
			}
		}
		if i := strings.IndexFunc(r.err, func(c rune) bool { return unicode.IsControl(c) && c != '\n' }); i >= 0 {
			t.Errorf("%s: a control character in %q", m.line, r.err)
		}
	}
}

func TestMannersHelpAndVersion(t *testing.T) {
	s := newShell(t)
	for _, c := range []struct{ line, same string }{
		{"help", "--help"},
		{"help entity create", "entity create --help"},
		{"--version", "version"},
	} {
		if got, want := s.want(exitDone, fields(c.line)...), s.want(exitDone, fields(c.same)...); got != want {
			t.Errorf("%s is not %s:\n%s", c.line, c.same, got.out)
		}
	}
}

// TestMannersOfPipes closes the reader of the output: the program ends without a message.
func TestMannersOfPipes(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has other pipes")
	}
	for _, trap := range []string{"", "trap '' PIPE; "} {
		read, write, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		read.Close()
		var said strings.Builder
		c := exec.Command("bash", "-c", trap+"exec zae-limiter --help")
		c.Stdout, c.Stderr = write, &said
		err = c.Run()
		write.Close()
		if err == nil || said.String() != "" {
			t.Errorf("%s%v, said %q", trap, err, said.String())
		}
	}
}

// TestMannersOfAFullDisk checks that a result that cannot be written is an error.
func TestMannersOfAFullDisk(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip("this system has no /dev/full")
	}
	defer full.Close()
	for _, args := range [][]string{{"version"}, {"version", "-o", "json"}, {"completion", "bash"}, {"--help"}} {
		var said strings.Builder
		c := exec.Command("zae-limiter", args...)
		c.Stdout, c.Stderr = full, &said
		if err := c.Run(); exitCodeOf(err) != "1" || !strings.Contains(said.String(), "no space left") {
			t.Errorf("%v: %v, said %q", args, err, said.String())
		}
	}
}
