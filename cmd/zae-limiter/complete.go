package main

import (
	"fmt"
	"strings"

	"github.com/alecthomas/kong"
)

// completeCmd is the hidden command that the completion scripts call.
type completeCmd struct {
	Words []string `arg:"" optional:"" help:"The words of the command line after the program's name, up to the cursor; the last one is incomplete."`
}

// Run prints the candidates for the last word: one a line, followed by a tab and its description, and the line ":files" if the
// word can be the name of a file.
func (c *completeCmd) Run(app *App, ctx *kong.Context) error {
	for _, o := range complete(ctx.Model.Node, c.Words) {
		if _, err := fmt.Fprintf(app.Out, "%s\t%s\n", o.word, o.meaning); err != nil {
			return err
		}
	}
	return nil
}

// candidate is a word that can complete the last one.
type candidate struct{ word, meaning string }

// fileNames stands for the names of all files, which the shell completes.
var fileNames = candidate{word: ":files"}

// complete returns the candidates for the last of words, in the tree of commands below root.
func complete(root *kong.Node, words []string) []candidate {
	if len(words) == 0 {
		words = []string{""}
	}
	last := words[len(words)-1]
	at := cursor{node: root, flags: root.Flags}
	for _, word := range words[:len(words)-1] {
		at.advance(word)
	}
	name, value, assigned := strings.Cut(last, "=")
	switch {
	case at.afterDashes:
		return []candidate{fileNames}
	case at.pending != nil:
		return matching(valueCandidates(at.pending.Value), "", last)
	case assigned && strings.HasPrefix(last, "--"):
		if flag := at.longFlag(name); flag != nil {
			return matching(valueCandidates(flag.Value), name+"=", value)
		}
		return nil
	case strings.HasPrefix(last, "-"):
		return matching(at.flagCandidates(), "", last)
	case len(at.node.Children) > 0:
		return matching(at.commandCandidates(), "", last)
	case at.position < len(at.node.Positional):
		return matching(valueCandidates(at.node.Positional[at.position]), "", last)
	}
	return nil
}

// matching returns the candidates that begin with what was typed, each after a prefix.
func matching(offers []candidate, prefix, typed string) (found []candidate) {
	for _, o := range offers {
		if o == fileNames {
			found = append(found, o)
		} else if strings.HasPrefix(o.word, typed) {
			found = append(found, candidate{prefix + o.word, o.meaning})
		}
	}
	return found
}

// cursor is the state of a command line that has been read up to some word.
type cursor struct {
	node        *kong.Node
	flags       []*kong.Flag // of the command and its parents
	pending     *kong.Flag   // whose value is the next word
	position    int          // of the next positional argument
	afterDashes bool         // after --
}

func (c *cursor) advance(word string) {
	open := c.pending
	c.pending = nil
	switch name, _, assigned := strings.Cut(word, "="); {
	case c.afterDashes || open != nil:
	case word == "--":
		c.afterDashes = true
	case strings.HasPrefix(word, "--"):
		if flag := c.longFlag(name); flag != nil && !flag.IsBool() && !assigned {
			c.pending = flag
		}
	case len(word) > 1 && word[0] == '-':
		c.advanceShort([]rune(word[1:]))
	default:
		c.advanceWord(word)
	}
}

// advanceShort reads letters after one dash, up to the first that takes a value.
func (c *cursor) advanceShort(letters []rune) {
	for i, letter := range letters {
		for _, flag := range c.flags {
			if flag.Short == letter && !flag.IsBool() {
				if i == len(letters)-1 {
					c.pending = flag
				}
				return
			}
		}
	}
}

func (c *cursor) advanceWord(word string) {
	for _, child := range c.node.Children {
		if child.Name == word {
			c.node, c.flags = child, append(c.flags[:len(c.flags):len(c.flags)], child.Flags...)
			return
		}
	}
	c.position++
}

func (c *cursor) longFlag(name string) *kong.Flag {
	for _, flag := range c.flags {
		if "--"+flag.Name == name {
			return flag
		}
	}
	if name == "--output" && len(c.node.Children) > 0 { // see outputBehind
		return outputFlag(c.node)
	}
	return nil
}

func (c *cursor) flagCandidates() (offers []candidate) {
	for i := len(c.flags) - 1; i >= 0; i-- { // the command's own flags come first
		flag := c.flags[i]
		if flag.Hidden {
			continue
		}
		offers = append(offers, candidate{"--" + flag.Name, firstSentence(flag.Help)})
		if no := negation(flag); no != "" {
			offers = append(offers, candidate{no, "Do the opposite of --" + flag.Name + "."})
		}
	}
	return offers
}

func (c *cursor) commandCandidates() (offers []candidate) {
	for _, child := range c.node.Children {
		if !child.Hidden {
			offers = append(offers, candidate{child.Name, firstSentence(child.Help)})
		}
	}
	return offers
}

// negation returns the flag that negates another, empty if there is none.
func negation(flag *kong.Flag) string {
	switch no := flag.Tag.Negatable; no {
	case "":
		return ""
	case "_": // kong's default
		return "--no-" + flag.Name
	default:
		return "--" + no
	}
}

// valueCandidates returns the values of a flag or an argument that is an enumeration or a file.
func valueCandidates(v *kong.Value) (offers []candidate) {
	if v.Enum == "" {
		if name := v.Tag.PlaceHolder; name == "FILE" || strings.HasPrefix(v.Tag.Type, "existing") || v.Tag.Type == "path" {
			return []candidate{fileNames}
		}
		return nil
	}
	for _, value := range v.EnumSlice() {
		if value != "" {
			offers = append(offers, candidate{value, ""})
		}
	}
	return offers
}

// firstSentence returns the first sentence of a help text.
func firstSentence(text string) string {
	first, _, found := strings.Cut(text, ". ")
	if found {
		first += "."
	}
	return oneLine(first)
}
