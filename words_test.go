package zaelimiter_test

import (
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// banned are words that are never right in this project, each with the word to use instead. Add a word only if no sentence needs
// it: style is for reviewers.
var banned = []struct {
	words, cure string
	example     string
}{
	{`give-backs?|g[ai]v(e|es|en|ing) back|takes? back|took back|taken back`, `"refund"`, "a give-back counts"},
	{`by turns`, `"in turn", or "retry"`, "it is sent by turns"},
	{`(configuration|name|option|text|that|value) does not do\b`, `"is invalid"`, "the configuration does not do"},
	{`overdrawn by force`, `"in debt"`, "the bucket is overdrawn by force"},
	{`is no (limit|amount|URL|time|deployment)\b`, `"invalid limit \"x\": reason"`, "x is no limit"},
	{`be let go\b`, `"be deleted"`, "it can be let go"},
	{`quick way`, `"fast path"`, "the quick way"},
	{`anew\b`, `"again"`, "it is made anew"},
	{`book(s|ed)? usage|usage is booked`, `"record usage"`, "the function books usage"},
	{`cure that\b`, `"fix the cause"`, "cure that, and deploy again"},
}

// cleanPlaces are the files and folders that the test reads. A folder is added when its texts have been revised.
var cleanPlaces = []string{
	"ARCHITECTURE.md", "CHANGELOG.md", "CONTRIBUTING.md", "README.md", "aggregator", "backend", "cmd/zae-limiter",
	"conformance", "deploy", "docs", "engine", "examples", "grpclimit", "httplimit", "internal", "limitertest", "otellimit", "stack",
}

// bannedWords returns the cure for each banned word in a line.
func bannedWords(line string) (cures []string) {
	if !anyBanned.MatchString(line) {
		return nil
	}
	for _, b := range banned {
		if found := wordsPattern(b.words).FindString(line); found != "" {
			cures = append(cures, `do not write "`+found+`": write `+b.cure)
		}
	}
	return cures
}

// anyBanned matches a line with any banned word: compiling and matching each pattern for each line would take a minute.
var anyBanned = func() *regexp.Regexp {
	var all []string
	for _, b := range banned {
		all = append(all, b.words)
	}
	return wordsPattern(strings.Join(all, "|"))
}()

func wordsPattern(words string) *regexp.Regexp { return regexp.MustCompile(`(?i)\b(?:` + words + `)`) }

// TestWords holds the words of Go files and Markdown.
func TestWords(t *testing.T) {
	for _, place := range cleanPlaces {
		err := filepath.WalkDir(place, func(name string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() || !slices.Contains([]string{".go", ".md", ".tf", ".yaml"}, path.Ext(name)) {
				return err
			}
			text, err := os.ReadFile(name)
			number := 0
			for line := range strings.Lines(string(text)) {
				number++
				for _, cure := range bannedWords(line) {
					t.Errorf("%s:%d: %s", filepath.ToSlash(name), number, cure)
				}
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	}
}

// TestWordsFires proves that each banned word is found.
func TestWordsFires(t *testing.T) {
	for _, b := range banned {
		if got := bannedWords(b.example); len(got) != 1 {
			t.Errorf("%q: %q", b.example, got)
		}
	}
	if got := bannedWords("refunds are given to customers; a notebook"); got != nil {
		t.Errorf("a line without banned words: %q", got)
	}
}
