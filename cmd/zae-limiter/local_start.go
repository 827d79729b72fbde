package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/zeroae/zae-limiter-go/internal/dynamolocal"
)

// starting bounds the start, the fetching of an image or of the program included.
const starting = 10 * time.Minute

// label is what a container of "local up" carries.
const label = "zae-limiter.local"

// start tries Docker, then Java. What it has started is written down before it is waited for, and ended if it does not
// answer.
func (c *localUpCmd) start(ctx context.Context, app *App, p place) (*local, error) {
	ctx, cancel := context.WithTimeout(ctx, starting)
	defer cancel()
	if err := vacant(ctx, c.Port); err != nil {
		return nil, err
	}
	var failures []string
	for _, way := range []struct {
		runtime string
		start   func(context.Context, *App, place, *local) (ended <-chan struct{}, err error)
	}{{runtimeDocker, c.docker}, {runtimeJava, c.java}} {
		if c.Runtime != "auto" && c.Runtime != way.runtime {
			continue
		}
		l := &local{ID: rand.Text(), Runtime: way.runtime, Port: c.Port}
		ended, err := way.start(ctx, app, p, l)
		if err == nil {
			err = errors.Join(p.save(l), dynamolocal.Await(ctx, l.endpoint(), ended, l.Log))
			if err == nil {
				return l, nil
			}
			err = errors.Join(err, l.end(context.WithoutCancel(ctx)), p.forget())
		}
		if ctx.Err() != nil {
			return nil, errors.Join(ctx.Err(), err)
		}
		failures = append(failures, way.runtime+": "+strings.TrimPrefix(oneLine(err.Error()), "dynamolocal: "))
	}
	return nil, fmt.Errorf("%w; %s", errLocalStart, strings.Join(failures, "; "))
}

// vacant reports a port on which something listens already.
func vacant(ctx context.Context, port int) error {
	for _, host := range []string{"127.0.0.1", ""} {
		l, err := new(net.ListenConfig).Listen(ctx, "tcp", net.JoinHostPort(host, strconv.Itoa(port)))
		if err != nil {
			return fmt.Errorf("port %d cannot be used; choose another with --port, or end what listens there: %w", port, err)
		}
		_ = l.Close()
	}
	return nil
}

// vacated returns when nothing listens on a port any more: what has ended keeps it for some milliseconds.
func vacated(ctx context.Context, sleep func(context.Context, time.Duration) error, port int) error {
	ctx, cancel := context.WithTimeout(ctx, answering)
	defer cancel()
	for vacant(ctx, port) != nil {
		if err := sleep(ctx, 20*time.Millisecond); errors.Is(err, context.Canceled) {
			return err
		} else if err != nil {
			return fmt.Errorf("%w: port %d; see what listens there", errLocalPort, port)
		}
	}
	return nil
}

// docker starts a container whose port is published on the loopback.
func (c *localUpCmd) docker(ctx context.Context, app *App, _ place, l *local) (<-chan struct{}, error) {
	if _, err := exec.LookPath("docker"); err != nil {
		return nil, errNoDocker
	}
	if _, err := dockerCLI(ctx, "version", "--format", "{{.Server.Version}}"); err != nil {
		return nil, fmt.Errorf("%w: %w", errNoEngine, err)
	}
	app.say("starting %s with Docker; the first time that takes a while", c.Image)
	id, err := dockerCLI(ctx, "run", "--detach", "--rm", "--label", label+"="+l.ID,
		"--publish", fmt.Sprintf("127.0.0.1:%d:8000", l.Port), "--entrypoint", "java", c.Image,
		"-Djava.library.path=./DynamoDBLocal_lib", "-jar", "DynamoDBLocal.jar", "-inMemory", "-sharedDb", "-disableTelemetry")
	l.Container = id
	return nil, err
}

// dockerCLI returns the last line that a docker command prints; in its error is the last that it complains with.
func dockerCLI(ctx context.Context, args ...string) (string, error) {
	command := exec.CommandContext(ctx, "docker", args...)
	var complaint bytes.Buffer
	command.Stderr = &complaint
	command.WaitDelay = time.Second
	out, err := command.Output()
	if err != nil {
		return "", fmt.Errorf("docker %s: %w: %s", args[0], err, lastLine(complaint.String()))
	}
	return lastLine(string(out)), nil
}

func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.TrimSpace(lines[len(lines)-1])
}

// java starts a process that outlives this one.
func (*localUpCmd) java(ctx context.Context, app *App, p place, l *local) (<-chan struct{}, error) {
	cache, err := dynamolocal.CacheFolder()
	if err != nil {
		return nil, err
	}
	app.say("starting DynamoDB Local %s with Java; the first time that takes a while", dynamolocal.Version)
	program, err := dynamolocal.Get(ctx, dynamolocal.Version, cache)
	if err != nil {
		return nil, err
	}
	l.Log = filepath.Join(p.folder, "log")
	log, err := os.Create(l.Log)
	if err != nil {
		return nil, err
	}
	defer log.Close() //nolint:errcheck // the process has its own
	line := program.Command(dynamolocal.Flags{Port: l.Port})
	command := exec.Command(line[0], append([]string{"-D" + label + "=" + l.ID}, line[1:]...)...)
	command.Dir = p.folder
	command.Stdout, command.Stderr = log, log
	if err := detach(command); err != nil {
		return nil, err
	}
	if err := command.Start(); err != nil {
		return nil, err
	}
	l.PID = command.Process.Pid
	ended := make(chan struct{})
	go func() {
		_ = command.Wait() // the log tells why
		close(ended)
	}()
	return ended, nil
}

// runs reports whether what was started is there, and not something else that has got its number since.
func (l *local) runs(ctx context.Context) bool {
	if l.Runtime == runtimeDocker {
		id, err := dockerCLI(ctx, "inspect", "--format", `{{index .Config.Labels "`+label+`"}}`, l.Container)
		return err == nil && id == l.ID
	}
	return strings.Contains(commandLine(ctx, l.PID), l.ID)
}

// end ends what runs, and returns when it is gone.
func (l *local) end(ctx context.Context) error {
	if l.Runtime == runtimeDocker {
		_, err := dockerCLI(ctx, "rm", "--force", "--volumes", l.Container)
		return err
	}
	process, err := os.FindProcess(l.PID)
	if err != nil {
		return err
	}
	if err := terminate(process); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, answering)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for l.runs(ctx) {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return process.Kill()
		}
	}
	return nil
}
