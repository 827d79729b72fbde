// Package readable writes values for people: in error texts and on the command line. Programs get the exact values, as
// fields or as JSON.
//
// Package readable decides nothing: what it rounds is not used in any comparison.
package readable
