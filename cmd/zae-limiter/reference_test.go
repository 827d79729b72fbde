package main

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

// TestReference checks that docs/cli.md, which is generated from the tree of commands, is up to date.
func TestReference(t *testing.T) {
	var helped bool
	parser, err := kong.New(&cli{}, options(newShell(t).world(), &helped)...)
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "../../../docs/cli.md", reference(parser.Model))
}

// reference returns the page about all commands in Markdown.
func reference(model *kong.Application) string {
	var titles []string // in the order of the tree
	contents, body := map[string]string{}, map[string]string{}
	for _, leaf := range model.Leaves(true) {
		title, path := strings.TrimSuffix(leaf.ClosestGroup().Title, ":"), pathOf(leaf)
		if contents[title] == "" {
			titles = append(titles, title)
			contents[title] = "\n**" + title + "**\n\n"
			body[title] = "\n## " + title + "\n"
		}
		contents[title] += fmt.Sprintf("- [%#q](#%s) %s\n", path, strings.ReplaceAll(path, " ", "-"), markdown(leaf.Help))
		body[title] += "\n" + section(leaf)
	}
	var all, sections strings.Builder
	for _, title := range titles {
		all.WriteString(contents[title])
		sections.WriteString(body[title])
	}
	return "# Reference of the command line\n\n" +
		"This page is generated from the commands: `make golden` updates it, and a test checks that it is up to date.\n" +
		"[cli-guide.md](cli-guide.md) describes what the commands have in common, [cli-output.md](cli-output.md) the JSON that they print.\n" +
		all.String() +
		"\n## Flags of every command\n\n" + flagTable(model.Flags) +
		"\n## Exit codes\n\n" + exitTable() + sections.String()
}

// section returns the section of one command.
func section(leaf *kong.Node) string {
	parts := []string{"### " + pathOf(leaf), markdown(leaf.Help), "    zae-limiter " + leaf.Summary()}
	if detail := strings.TrimSpace(leaf.Detail); detail != "" {
		parts = append(parts, prose(detail))
	}
	if rows := argumentTable(leaf.Positional); rows != "" {
		parts = append(parts, rows)
	}
	var own []*kong.Flag
	for n := leaf; n.Type != kong.ApplicationNode; n = n.Parent {
		own = append(own, n.Flags...)
	}
	if rows := flagTable(own); rows != "" {
		parts = append(parts, rows)
	}
	for i := range parts {
		parts[i] = strings.TrimRight(parts[i], "\n")
	}
	return strings.Join(parts, "\n\n") + "\n"
}

// argumentTable returns a table of the arguments, empty if there are none.
func argumentTable(arguments []*kong.Positional) string {
	if len(arguments) == 0 {
		return ""
	}
	rows := "| argument | |\n|---|---|\n"
	for _, a := range arguments {
		rows += fmt.Sprintf("| %#q | %s |\n", a.Summary(), markdown(a.Help))
	}
	return rows
}

// flagTable returns a table of flags with their values, environment variables and help, empty if there are none.
func flagTable(flags []*kong.Flag) string {
	var rows strings.Builder
	for _, flag := range flags {
		if flag.Hidden {
			continue
		}
		names := "`--" + flag.Name
		if !flag.IsBool() {
			names += "=" + flag.FormatPlaceHolder()
		}
		names += "`"
		if no := negation(flag); no != "" {
			names += ", `" + no + "`"
		}
		if flag.Short != 0 {
			names = "`-" + string(flag.Short) + "`, " + names
		}
		help := markdown(helpWithVariable(flag.Value))
		if flag.Required {
			help += " **Required.**"
		}
		fmt.Fprintf(&rows, "| %s | %s |\n", strings.ReplaceAll(names, "|", `\|`), help)
	}
	if rows.Len() == 0 {
		return ""
	}
	return "| flag | |\n|---|---|\n" + rows.String()
}

func exitTable() string {
	var s strings.Builder
	s.WriteString("| code | meaning |\n|--:|---|\n")
	for _, e := range exitTexts {
		fmt.Fprintf(&s, "| %d | %s |\n", e.code, markdown(e.text))
	}
	return s.String()
}

// pathOf returns a command as it is typed after the program's name.
func pathOf(leaf *kong.Node) string { return strings.Join(strings.Fields(leaf.FullPath())[1:], " ") }

var special = regexp.MustCompile("[|<>*_`\\[\\]]")

// markdown escapes text.
func markdown(text string) string {
	return special.ReplaceAllString(strings.Join(strings.Fields(text), " "), `\$0`)
}

// prose returns a command's details as paragraphs and code blocks.
func prose(detail string) string {
	var blocks []string
	for _, block := range strings.Split(detail, "\n\n") {
		if !strings.HasPrefix(block, "    ") {
			block = markdown(block)
		}
		blocks = append(blocks, block)
	}
	return strings.Join(blocks, "\n\n")
}
