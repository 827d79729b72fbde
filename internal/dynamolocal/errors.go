package dynamolocal

import (
	"errors"
	"fmt"
	"strings"
)

// ErrMissing reports a program that is not installed.
var ErrMissing = errors.New("dynamolocal: not installed")

// ErrEnded reports an emulator that ended before it answered.
var ErrEnded = errors.New("dynamolocal: DynamoDB Local ended before it answered")

var (
	errVersion = errors.New("dynamolocal: unknown version")
	errMaven   = errors.New("dynamolocal: Maven could not fetch DynamoDB Local")
)

func missing(program, cure string) error {
	return fmt.Errorf("%w: %s is not in PATH; %s", ErrMissing, program, cure)
}

// telling is the line of a program's output that tells best why it failed: the first with an error in it, else the last.
func telling(output string) string {
	best := "no output"
	for line := range strings.Lines(output) {
		line = strings.TrimSpace(line)
		if strings.Contains(line, "ERROR") || strings.Contains(line, "Error") || strings.Contains(line, "Exception") {
			best = line
			break
		}
		if line != "" {
			best = line
		}
	}
	if most := 400; len(best) > most {
		best = strings.ToValidUTF8(best[:most], "") + "…"
	}
	return best
}
