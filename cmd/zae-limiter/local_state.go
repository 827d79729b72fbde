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

// local is a DynamoDB Local that "local up" has started.
type local struct {
	ID        string `json:"id"` // in the process's command line, or on the container: nobody else's has it
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

func (l *local) endpoint() string { return fmt.Sprintf("http://127.0.0.1:%d", l.Port) }

// where is what it runs in, for people.
func (l *local) where() string {
	if l.Runtime == runtimeDocker {
		return fmt.Sprintf("container %.12s", l.Container)
	}
	return fmt.Sprintf("process %d", l.PID)
}

// answering bounds the wait for one that runs.
const answering = 5 * time.Second

// answers is nil if it answers.
func (l *local) answers(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, answering)
	defer cancel()
	return dynamolocal.Await(ctx, l.endpoint(), nil, "")
}

// place is where it is written down what "local up" has started, held by one command at a time.
type place struct {
	folder string
	unlock func()
}

// localPlace is in the user's data directory, and waits for another command that is at it up to --timeout.
func (a *App) localPlace(ctx context.Context) (place, error) {
	data, err := dataFolder(runtime.GOOS, a.Getenv)
	if err != nil {
		return place{}, err
	}
	folder := filepath.Join(data, "zae-limiter", "local")
	ctx, cancel := context.WithTimeout(ctx, max(a.Timeout, time.Millisecond))
	defer cancel()
	unlock, err := dynamolocal.Lock(ctx, filepath.Join(folder, "lock"))
	return place{folder, unlock}, err
}

func (p place) file() string { return filepath.Join(p.folder, "state.json") }

// load returns nil where nothing was started.
func (p place) load() (*local, error) {
	text, err := os.ReadFile(p.file())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil //nolint:nilnil // there is nothing
	}
	l := new(local)
	if err == nil {
		err = json.Unmarshal(text, l)
	}
	if err != nil {
		return nil, fmt.Errorf("%s cannot be read; remove it, and end DynamoDB Local yourself: %w", p.file(), err)
	}
	return l, nil
}

func (p place) save(l *local) error {
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

func (p place) forget() error { return os.Remove(p.file()) }
