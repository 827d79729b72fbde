// Package readable formats values for people, in error texts and on the command line. Programs get the exact values, as fields or
// as JSON.
//
// Package readable makes no decisions: nothing compares the values that it rounds.
package readable
