package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/zeroae/zae-limiter-go/internal/dynamolocal"
)

// localInstance describes a DynamoDB Local that "local up" has started.
type localInstance struct {
	ID        string `json:"id"` // random; part of the process's command line, or a label of the container
	Runtime   string `json:"runtime"`
	Port      int    `json:"port"`
	Table     string `json:"table"`
	Container string `json:"container,omitempty"`
	PID       int    `json:"pid,omitempty"`
	Log       string `json:"log,omitempty"`
}

const (
	runtimeDocker = "docker"
	runtimeJava   = "java"
)

func (l *localInstance) endpoint() string { return fmt.Sprintf("http://127.0.0.1:%d", l.Port) }

// location names the container or the process, for messages.
func (l *localInstance) location() string {
	if l.Runtime == runtimeDocker {
		return fmt.Sprintf("container %.12s", l.Container)
	}
	return fmt.Sprintf("process %d", l.PID)
}

// answerTimeout bounds the wait for an answer of a running instance.
const answerTimeout = 5 * time.Second

// checkAnswers returns nil if the instance answers.
func (l *localInstance) checkAnswers(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	return dynamolocal.Await(ctx, l.endpoint(), nil, "")
}

// localState is the folder with the state of "local up". One command at a time has it locked.
type localState struct {
	folder string
	unlock func()
}

// lockLocalState locks the state in the user's data directory, and returns the instance in it; nil if nothing was started. It
// waits for another command up to --timeout.
func (a *App) lockLocalState(ctx context.Context) (localState, *localInstance, error) {
	data, err := dataFolder(runtime.GOOS, a.Getenv)
	if err != nil {
		return localState{}, nil, err
	}
	folder := filepath.Join(data, "zae-limiter", "local")
	ctx, cancel := context.WithTimeout(ctx, max(a.Timeout, time.Millisecond))
	defer cancel()
	unlock, err := dynamolocal.Lock(ctx, filepath.Join(folder, "lock"))
	if err != nil {
		return localState{}, nil, err
	}
	p := localState{folder, unlock}
	l, err := p.load()
	if err != nil {
		unlock()
	}
	return p, l, err
}

func (p localState) file() string { return filepath.Join(p.folder, "state.json") }

// load returns nil if nothing was started.
func (p localState) load() (*localInstance, error) {
	text, err := os.ReadFile(p.file())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil //nolint:nilnil // nothing was started
	}
	l := new(localInstance)
	if err == nil {
		err = json.Unmarshal(text, l)
	}
	if err != nil {
		return nil, fmt.Errorf("%s cannot be read: remove it, and stop DynamoDB Local yourself: %w", p.file(), err)
	}
	return l, nil
}

func (p localState) save(l *localInstance) error {
	text, err := json.Marshal(l)
	if err != nil {
		return err
	}
	part := p.file() + ".part"
	if err := os.WriteFile(part, text, 0o600); err != nil {
		return err
	}
	return os.Rename(part, p.file())
}

func (p localState) remove() error { return os.Remove(p.file()) }
