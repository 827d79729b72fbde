package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/zeroae/zae-limiter-go/backend/dynamo/dynamotest"
	"github.com/zeroae/zae-limiter-go/internal/alltests"
)

// TestScripts runs the scripts in testdata/script with the built program, each on a file of its own.
func TestScripts(t *testing.T) {
	alltests.Only(t)
	runScripts(t, "embedded", func(e *testscript.Env) error {
		e.Setenv("ZAE_LIMITER_STORE", "bolt://"+withLeadingSlash(filepath.ToSlash(e.Getenv("WORK")))+"/life.db")
		return nil
	})
}

// TestScriptsDeployed runs the scripts, each on a table of its own.
func TestScriptsDeployed(t *testing.T) {
	runScripts(t, "deployed", func(e *testscript.Env) error {
		name, o := dynamotest.Table(e.T().(testing.TB))
		e.Setenv("ZAE_LIMITER_NAME", name)
		e.Setenv("AWS_ENDPOINT_URL_DYNAMODB", o.Endpoint)
		e.Setenv("AWS_REGION", o.Region)
		e.Setenv("AWS_ACCESS_KEY_ID", "test")
		e.Setenv("AWS_SECRET_ACCESS_KEY", "test")
		return nil
	})
}

// runScripts runs the scripts on a store that setup selects; lines after [kind] run only on that kind.
func runScripts(t *testing.T, kind string, setup func(*testscript.Env) error) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(e *testscript.Env) error {
			e.Setenv("HOME", e.Getenv("WORK"))
			e.Setenv("GORACE", os.Getenv("GORACE"))
			return setup(e)
		},
		Condition: func(name string) (bool, error) { return name == kind, nil },
		Cmds:      map[string]func(*testscript.TestScript, bool, []string){"code": code},
	})
}

// code N COMMAND… checks that a program exits with N.
func code(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: code N COMMAND…")
	}
	err := ts.Exec(args[1], args[2:]...)
	if got := exitCodeOf(err); got != args[0] {
		ts.Fatalf("exit code %s, not %s: %v", got, args[0], err)
	}
}

func exitCodeOf(err error) string {
	var exit *exec.ExitError
	switch {
	case err == nil:
		return "0"
	case errors.As(err, &exit):
		return strconv.Itoa(exit.ExitCode())
	}
	return err.Error()
}
