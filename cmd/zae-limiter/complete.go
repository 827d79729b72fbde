package main

import (
	"fmt"
	"strings"

	"github.com/alecthomas/kong"
)

// completeCmd is what the scripts call.
type completeCmd struct {
	Words []string `arg:"" optional:"" help:"The command line behind our name up to the cursor; the last one is being typed."`
}

// Run prints what may stand in place of the last word: one a line, with a tab and its meaning, and a line ":files" where
// it may be the name of a file.
func (c *completeCmd) Run(app *App, ctx *kong.Context) error {
	for _, o := range complete(ctx.Model.Node, c.Words) {
		if _, err := fmt.Fprintf(app.Out, "%s\t%s\n", o.word, o.meaning); err != nil {
			return err
		}
	}
	return nil
}

// offer is a word that may stand where the cursor is.
type offer struct{ word, meaning string }

// files is an offer of the names of files.
var files = offer{word: ":files"}

// complete tells what may stand in place of the last of words, in the tree under root.
func complete(root *kong.Node, words []string) []offer {
	if len(words) == 0 {
		words = []string{""}
	}
	last := words[len(words)-1]
	at := cursor{node: root, flags: root.Flags}
	for _, word := range words[:len(words)-1] {
		at.pass(word)
	}
	name, value, assigned := strings.Cut(last, "=")
	switch {
	case at.raw:
		return []offer{files}
	case at.open != nil:
		return matching(valuesOf(at.open.Value), "", last)
	case assigned && strings.HasPrefix(last, "--"):
		if flag := at.long(name); flag != nil {
			return matching(valuesOf(flag.Value), name+"=", value)
		}
		return nil
	case strings.HasPrefix(last, "-"):
		return matching(at.flagOffers(), "", last)
	case len(at.node.Children) > 0:
		return matching(at.commandOffers(), "", last)
	case at.position < len(at.node.Positional):
		return matching(valuesOf(at.node.Positional[at.position]), "", last)
	}
	return nil
}

// matching are the offers that begin with what was typed, each behind a prefix.
func matching(offers []offer, prefix, typed string) (found []offer) {
	for _, o := range offers {
		if o == files {
			found = append(found, o)
		} else if strings.HasPrefix(o.word, typed) {
			found = append(found, offer{prefix + o.word, o.meaning})
		}
	}
	return found
}

// cursor is how far a command line has been read.
type cursor struct {
	node     *kong.Node
	flags    []*kong.Flag // of the command and of those above it
	open     *kong.Flag   // whose value comes next
	position int          // of the next argument
	raw      bool         // behind --
}

func (c *cursor) pass(word string) {
	open := c.open
	c.open = nil
	switch name, _, assigned := strings.Cut(word, "="); {
	case c.raw || open != nil:
	case word == "--":
		c.raw = true
	case strings.HasPrefix(word, "--"):
		if flag := c.long(name); flag != nil && !flag.IsBool() && !assigned {
			c.open = flag
		}
	case len(word) > 1 && word[0] == '-':
		c.passShort([]rune(word[1:]))
	default:
		c.passWord(word)
	}
}

// passShort passes letters that stand behind one dash: the first that takes a value ends them.
func (c *cursor) passShort(letters []rune) {
	for i, letter := range letters {
		for _, flag := range c.flags {
			if flag.Short == letter && !flag.IsBool() {
				if i == len(letters)-1 {
					c.open = flag
				}
				return
			}
		}
	}
}

func (c *cursor) passWord(word string) {
	for _, child := range c.node.Children {
		if child.Name == word {
			c.node, c.flags = child, append(c.flags[:len(c.flags):len(c.flags)], child.Flags...)
			return
		}
	}
	c.position++
}

func (c *cursor) long(name string) *kong.Flag {
	for _, flag := range c.flags {
		if "--"+flag.Name == name {
			return flag
		}
	}
	if name == "--output" && len(c.node.Children) > 0 { // see outputBehind
		return formatFlag(c.node)
	}
	return nil
}

func (c *cursor) flagOffers() (offers []offer) {
	for i := len(c.flags) - 1; i >= 0; i-- { // the command's own first
		flag := c.flags[i]
		if flag.Hidden {
			continue
		}
		offers = append(offers, offer{"--" + flag.Name, sentence(flag.Help)})
		if no := negation(flag); no != "" {
			offers = append(offers, offer{no, "The opposite of --" + flag.Name + "."})
		}
	}
	return offers
}

func (c *cursor) commandOffers() (offers []offer) {
	for _, child := range c.node.Children {
		if !child.Hidden {
			offers = append(offers, offer{child.Name, sentence(child.Help)})
		}
	}
	return offers
}

// negation is the flag that says the opposite, "" if there is none.
func negation(flag *kong.Flag) string {
	switch no := flag.Tag.Negatable; no {
	case "":
		return ""
	case "_": // as kong has it
		return "--no-" + flag.Name
	default:
		return "--" + no
	}
}

// valuesOf are the values that a flag or an argument may have, where these are few.
func valuesOf(v *kong.Value) (offers []offer) {
	if v.Enum == "" {
		if name := v.Tag.PlaceHolder; name == "FILE" || strings.HasPrefix(v.Tag.Type, "existing") || v.Tag.Type == "path" {
			return []offer{files}
		}
		return nil
	}
	for _, value := range v.EnumSlice() {
		if value != "" {
			offers = append(offers, offer{value, ""})
		}
	}
	return offers
}

// sentence is the first one of a help text.
func sentence(text string) string {
	first, _, found := strings.Cut(text, ". ")
	if found {
		first += "."
	}
	return oneLine(first)
}
