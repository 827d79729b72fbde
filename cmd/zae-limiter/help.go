package main

import (
	_ "embed"
	"errors"
	"fmt"
	"strings"

	"github.com/alecthomas/kong"
)

// manual has a section for each command, under its name: what the help says in detail, with examples.
//
//go:embed help.txt
var manual string

// manualSections returns the sections of the manual by the name of their command.
func manualSections() map[string]string {
	sections := map[string]string{}
	for section := range strings.SplitSeq(manual, "\n## ") {
		command, text, _ := strings.Cut(section, "\n")
		sections[command] = strings.TrimSpace(text)
	}
	return sections
}

// addDetails adds its section of the manual to the help of each command.
func addDetails(k *kong.Kong) error {
	sections := manualSections()
	for _, command := range k.Model.Leaves(true) {
		command.Detail = sections[strings.TrimPrefix(command.FullPath(), k.Model.Name+" ")]
	}
	return nil
}

// printHelp prints kong's help; the help of the whole program ends with the exit codes.
func printHelp(o kong.HelpOptions, ctx *kong.Context) error {
	if err := kong.DefaultHelpPrinter(o, ctx); err != nil || ctx.Selected() != nil {
		return err
	}
	_, err := fmt.Fprintf(ctx.Stdout, "\nExit codes:\n%s", exitCodeHelp())
	return err
}

// helpWithVariable returns a flag's help text followed by the name of that variable.
func helpWithVariable(v *kong.Value) string {
	if name := v.Tag.Get("from"); name != "" {
		return strings.TrimSuffix(v.Help, ".") + " ($" + name + ")."
	}
	return v.Help
}

// withoutEmptyValue takes the empty text, which stands for a flag that is not set, from a list of values in a message of kong.
var withoutEmptyValue = strings.NewReplacer(`one of "",`, "one of ", `,"" but got`, " but got")

// parseErrorText returns a parse error as one line.
func parseErrorText(err error) string { return withoutEmptyValue.Replace(oneLine(err.Error())) }

// helpCommand returns the command line that prints the help of the command in which a parse error occurred.
func helpCommand(parser *kong.Kong, err error) string {
	var failed *kong.ParseError
	if errors.As(err, &failed) && failed.Context.Selected() != nil {
		return failed.Context.Selected().FullPath() + " --help"
	}
	return parser.Model.Name + " --help"
}
