// Command zae-limiter consumes tokens, shows and configures limits, and deploys the infrastructure, from a shell.
//
// Each command reads its flags, calls package engine or stack, and passes the result to output.go, the only place that
// prints results. app.go holds everything a command uses of the machine: streams, clock, environment and store.
// docs/cli.md is the reference of all commands; docs/cli-output.md specifies the JSON documents.
//
// The command contains no logic that users of the library would also need: that belongs to packages engine and stack.
package main
