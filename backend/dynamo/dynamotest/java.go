package dynamotest

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/zeroae/zae-limiter-go/internal/dynamolocal"
)

// process is a DynamoDB Local in Java that can be restarted.
type process struct {
	program dynamolocal.Program
	flags   dynamolocal.Flags
	log     string

	lock    sync.Mutex
	command *exec.Cmd
	alive   io.Closer     // the process ends when this is closed, which the end of this process does too
	ended   chan struct{} // closed when it has ended
}

// attempts is how many ports are tried: another process may take one before Java does.
const attempts = 3

// java starts DynamoDB Local as a Java process.
func java(ctx context.Context, folder string, o Options) (*Server, error) {
	cache, err := dynamolocal.CacheFolder()
	if err != nil {
		return nil, err
	}
	version := o.Version
	if version == "" {
		version = dynamolocal.Version
	}
	program, err := dynamolocal.Get(ctx, version, cache)
	if err != nil {
		return nil, err
	}
	// One at a time: otherwise two processes could find the same port free, and one would use the emulator of the other.
	unlock, err := dynamolocal.Lock(ctx, filepath.Join(cache, "start.lock"))
	if err != nil {
		return nil, err
	}
	defer unlock()
	p := &process{
		program: program, log: filepath.Join(folder, "log"),
		flags: dynamolocal.Flags{Folder: filepath.Join(folder, "tmp")},
	}
	if o.OnDisk {
		p.flags.Data = filepath.Join(folder, "data")
	}
	for _, needed := range []string{p.flags.Folder, p.flags.Data} {
		if err := os.MkdirAll(needed, 0o700); err != nil && needed != "" {
			return nil, fmt.Errorf("dynamotest: %w", err)
		}
	}
	for range attempts {
		if p.flags.Port, err = dynamolocal.FreePort(ctx); err != nil {
			return nil, err
		}
		if err = p.start(ctx); err == nil {
			return &Server{Endpoint: p.endpoint(), Version: version, java: p, stop: p.kill}, nil
		}
	}
	return nil, err
}

// MustHaveJava returns the program of DynamoDB Local for a test that needs neither an emulator nor a table. If there is none
// the test is skipped or fails as with [Shared].
func MustHaveJava(t testing.TB) dynamolocal.Program {
	t.Helper()
	mustBeAsked(t)
	cache, err := dynamolocal.CacheFolder()
	if err != nil {
		missed(t, errNone{{"java", err}})
	}
	p, err := dynamolocal.Get(t.Context(), dynamolocal.Version, cache)
	if err != nil {
		missed(t, errNone{{"java", err}})
	}
	return p
}

func (p *process) endpoint() string { return fmt.Sprintf("http://127.0.0.1:%d", p.flags.Port) }

// start starts the process and returns when the emulator answers. If it does not answer the process is killed.
func (p *process) start(ctx context.Context) error {
	p.lock.Lock()
	defer p.lock.Unlock()
	log, err := os.Create(p.log)
	if err != nil {
		return fmt.Errorf("dynamotest: %w", err)
	}
	defer log.Close() //nolint:errcheck // the process has its own
	command := guarded(filepath.Dir(p.log), p.program.Command(p.flags))
	command.Stdout, command.Stderr = log, log
	if p.alive, err = command.StdinPipe(); err != nil {
		return fmt.Errorf("dynamotest: %w", err)
	}
	if err := command.Start(); err != nil {
		return fmt.Errorf("dynamotest: %w", err)
	}
	p.command, p.ended = command, make(chan struct{})
	go func() {
		defer close(p.ended)
		_ = command.Wait() // the log tells why
	}()
	if err := dynamolocal.Await(ctx, p.endpoint(), p.ended, p.log); err != nil {
		p.killLocked()
		return err
	}
	return nil
}

// kill ends the process at once, if it runs.
func (p *process) kill() error {
	p.lock.Lock()
	defer p.lock.Unlock()
	p.killLocked()
	return nil
}

func (p *process) killLocked() {
	if p.command != nil {
		killGroup(p.command)
		<-p.ended
		p.command = nil
	}
}

// Kill ends the emulator as a power cut does: acknowledged writes are on the disk if it was started with Options.OnDisk, and
// lost otherwise. Only emulators of [Start] can be killed.
func (s *Server) Kill(t testing.TB) {
	t.Helper()
	if s.java == nil || s == shared.server {
		t.Fatal(errNotStarted)
	}
	_ = s.java.kill() // it always returns nil
}

// Restart restarts an emulator of [Start] at the same endpoint and returns when it answers.
func (s *Server) Restart(t testing.TB) {
	t.Helper()
	s.Kill(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := s.java.start(ctx); err != nil {
		t.Fatal(err)
	}
}
