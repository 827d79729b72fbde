// Command zae-limiter takes tokens from limits, inspects and configures them, from a shell.
//
// Each command gathers its flags, calls the engine, and hands what it got to output.go, the only place that prints
// results. app.go is the only way to the world: streams, clock, environment, store. docs/cli.md is the reference,
// docs/cli-output.md the contract of the JSON.
//
// It holds no decision that a user of the library would need too: those are in package engine.
package main
