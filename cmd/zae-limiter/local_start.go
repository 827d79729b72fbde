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

// startTimeout bounds the start, including the download of the image or of the program.
const startTimeout = 10 * time.Minute

// containerLabel is the label of containers that "local up" starts.
const containerLabel = "zae-limiter.local"

// start tries Docker, then Java. It saves the state before it waits for the first answer, and stops what it has started if
// that does not answer.
func (c *localUpCmd) start(ctx context.Context, app *App, p localState) (*localInstance, error) {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	if err := checkPortFree(ctx, c.Port); err != nil {
		return nil, err
	}
	var failures []string
	for _, way := range []struct {
		runtime string
		start   func(context.Context, *App, localState, *localInstance) (ended <-chan struct{}, err error)
	}{{runtimeDocker, c.startDocker}, {runtimeJava, c.startJava}} {
		if c.Runtime != "auto" && c.Runtime != way.runtime {
			continue
		}
		l := &localInstance{ID: rand.Text(), Runtime: way.runtime, Port: c.Port}
		ended, err := way.start(ctx, app, p, l)
		if err == nil {
			err = errors.Join(p.save(l), dynamolocal.Await(ctx, l.endpoint(), ended, l.Log))
			if err == nil {
				return l, nil
			}
			err = errors.Join(err, l.stop(context.WithoutCancel(ctx)), p.remove())
		}
		if ctx.Err() != nil {
			return nil, errors.Join(ctx.Err(), err)
		}
		failures = append(failures, way.runtime+": "+strings.TrimPrefix(oneLine(err.Error()), "dynamolocal: "))
	}
	return nil, fmt.Errorf("%w; %s", errLocalStart, strings.Join(failures, "; "))
}

// checkPortFree returns an error if something already listens on a port.
func checkPortFree(ctx context.Context, port int) error {
	for _, host := range []string{"127.0.0.1", ""} {
		l, err := new(net.ListenConfig).Listen(ctx, "tcp", net.JoinHostPort(host, strconv.Itoa(port)))
		if err != nil {
			return fmt.Errorf("port %d cannot be used: choose another with --port, or stop the program that listens there: %w", port, err)
		}
		_ = l.Close()
	}
	return nil
}

// awaitPortFree returns when nothing listens on a port any more, which is some milliseconds after the process has ended.
func awaitPortFree(ctx context.Context, sleep func(context.Context, time.Duration) error, port int) error {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	for checkPortFree(ctx, port) != nil {
		if err := sleep(ctx, 20*time.Millisecond); errors.Is(err, context.Canceled) {
			return err
		} else if err != nil {
			return fmt.Errorf("%w: port %d: find out which program listens there", errLocalPortInUse, port)
		}
	}
	return nil
}

// startDocker starts a container whose port is published on the loopback interface.
func (c *localUpCmd) startDocker(ctx context.Context, app *App, _ localState, l *localInstance) (<-chan struct{}, error) {
	if _, err := exec.LookPath("docker"); err != nil {
		return nil, errNoDocker
	}
	if _, err := dockerCLI(ctx, "version", "--format", "{{.Server.Version}}"); err != nil {
		return nil, fmt.Errorf("%w: %w", errNoEngine, err)
	}
	app.logf("starting %s with Docker; the first time takes longer", c.Image)
	id, err := dockerCLI(ctx, "run", "--detach", "--rm", "--label", containerLabel+"="+l.ID,
		"--publish", fmt.Sprintf("127.0.0.1:%d:8000", l.Port), "--entrypoint", "java", c.Image,
		"-Djava.library.path=./DynamoDBLocal_lib", "-jar", "DynamoDBLocal.jar", "-inMemory", "-sharedDb", "-disableTelemetry")
	l.Container = id
	return nil, err
}

// dockerCLI returns the last line of a docker command's output; its error has the last line of standard error.
func dockerCLI(ctx context.Context, args ...string) (string, error) {
	command := exec.CommandContext(ctx, "docker", args...)
	var stderr bytes.Buffer
	command.Stderr = &stderr
	command.WaitDelay = time.Second
	out, err := command.Output()
	if err != nil {
		return "", fmt.Errorf("docker %s: %w: %s", args[0], err, lastLine(stderr.String()))
	}
	return lastLine(string(out)), nil
}

func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.TrimSpace(lines[len(lines)-1])
}

// startJava starts a process that outlives this one.
func (*localUpCmd) startJava(ctx context.Context, app *App, p localState, l *localInstance) (<-chan struct{}, error) {
	cache, err := dynamolocal.CacheFolder()
	if err != nil {
		return nil, err
	}
	app.logf("starting DynamoDB Local %s with Java; the first time takes longer", dynamolocal.Version)
	program, err := dynamolocal.Get(ctx, dynamolocal.Version, cache)
	if err != nil {
		return nil, err
	}
	l.Log = filepath.Join(p.folder, "log")
	log, err := os.Create(l.Log)
	if err != nil {
		return nil, err
	}
	defer log.Close() //nolint:errcheck // the process has its own descriptor
	line := program.Command(dynamolocal.Flags{Port: l.Port})
	command := exec.Command(line[0], append([]string{"-D" + containerLabel + "=" + l.ID}, line[1:]...)...)
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
		_ = command.Wait() // the log has the reason
		close(ended)
	}()
	return ended, nil
}

// isRunning reports whether the instance is running. It recognizes a process by its command line, since another process may
// have its number by now.
func (l *localInstance) isRunning(ctx context.Context) bool {
	if l.Runtime == runtimeDocker {
		id, err := dockerCLI(ctx, "inspect", "--format", `{{index .Config.Labels "`+containerLabel+`"}}`, l.Container)
		return err == nil && id == l.ID
	}
	return strings.Contains(commandLine(ctx, l.PID), l.ID)
}

// stop ends the instance and returns when it is gone.
func (l *localInstance) stop(ctx context.Context) error {
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
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for l.isRunning(ctx) {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return process.Kill()
		}
	}
	return nil
}
