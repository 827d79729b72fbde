package main

import (
	"bytes"
	"os"
	"strings"
	"syscall"
	"testing"
)

// readers has command lines that only read.
var readers = []string{
	"available user-123 gpt-4", "explain user-123 gpt-4", "system get-defaults", "resource get-defaults gpt-4", "resource list", "resource list --with-entity-limits",
	"entity show user-123", "entity list", "entity list --with-custom-limits gpt-4",
	"entity children team-b", "entity get-limits user-premium -r gpt-4", "limits export", "limits plan -f testdata/limits.yaml", "namespace list", "namespace show team-b",
	"usage list -e user-123", "usage summary -e user-123", "audit list", "top --once --interval 0s", "status",
}

// TestReadOnlyFileSystem checks that commands that only read print the same on a read-only file system, and for a user who may
// only read the file.
func TestReadOnlyFileSystem(t *testing.T) {
	s := inhabited(t)
	s.want(exitDone, "usage", "list", "-e", "user-123") // records the usage, which reading alone cannot
	s.now = kept.now
	for _, line := range readers {
		at := s.now
		want := s.want(exitDone, fields(line)...)
		before, err := os.ReadFile(s.file)
		if err != nil {
			t.Fatal(err)
		}
		for _, cause := range []error{syscall.EROFS, syscall.EACCES} {
			s.now, s.openFile = at, func(name string, flag int, perm os.FileMode) (*os.File, error) {
				if flag != os.O_RDONLY {
					return nil, &os.PathError{Op: "open", Path: name, Err: cause}
				}
				return os.OpenFile(name, flag, perm)
			}
			if got := s.run(fields(line)...); got.code != want.code || got.out != want.out && line != "status" || got.err != want.err {
				t.Errorf("%s, %v: %+v, not %+v", line, cause, got, want)
			}
		}
		r := s.want(exitUnavailable, fields("acquire user-123 gpt-4 -c rpm=1")...)
		if !strings.Contains(r.err, "/STORE: permission denied") || strings.Count(r.err, "\n") != 1 {
			t.Errorf("acquire: %s", r.err)
		}
		s.now, s.openFile = at, nil
		if after, err := os.ReadFile(s.file); err != nil || !bytes.Equal(before, after) {
			t.Errorf("%s: the file has changed, %v", line, err)
		}
	}
}
