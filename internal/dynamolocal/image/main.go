package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/zeroae/zae-limiter-go/internal/dynamolocal"
)

const home = "home/dynamodblocal"

func main() {
	if err := write(context.Background(), os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// write puts Java, what it needs, and DynamoDB Local with a launcher into the archive.
func write(ctx context.Context, out io.Writer) error {
	cache, err := dynamolocal.CacheFolder()
	if err != nil {
		return err
	}
	program, err := dynamolocal.Get(ctx, dynamolocal.Version, cache)
	if err != nil {
		return err
	}
	java, err := filepath.EvalSymlinks(program.Java)
	if err != nil {
		return err
	}
	jre := filepath.Dir(filepath.Dir(java))
	libraries, err := needed(ctx, jre)
	if err != nil {
		return err
	}
	a := archive{tar.NewWriter(out)}
	if err := a.tree("jre", jre); err != nil {
		return err
	}
	for _, library := range libraries {
		if err := a.file(strings.TrimPrefix(library, "/"), library); err != nil {
			return err
		}
	}
	if err := a.tree(home+"/DynamoDBLocal_lib", program.Jars); err != nil {
		return err
	}
	launcher, err := launcher(program)
	if err != nil {
		return err
	}
	for name, text := range map[string][]byte{home + "/DynamoDBLocal.jar": launcher, "etc/passwd": []byte("root:x:0:0::/:\n")} {
		if err := a.bytes(name, text); err != nil {
			return err
		}
	}
	if err := a.WriteHeader(&tar.Header{Name: "tmp/", Typeflag: tar.TypeDir, Mode: 0o1777}); err != nil {
		return err
	}
	return a.Close()
}

// archive is a tar archive in which everybody may read and run everything.
type archive struct{ *tar.Writer }

func (a archive) bytes(name string, text []byte) error {
	if err := a.WriteHeader(&tar.Header{Name: name, Size: int64(len(text)), Mode: 0o755}); err != nil {
		return err
	}
	_, err := a.Write(text)
	return err
}

// file adds what a file, or the link to one, holds.
func (a archive) file(name, file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	return a.bytes(name, text)
}

// unneeded are folders of a Java installation that running a program does not need.
var unneeded = []string{"jmods", "man", "include", "demo", "legal", "docs", "src.zip"}

// tree adds all files of a folder. Links, by which Debian keeps Java's settings elsewhere, are followed.
func (a archive) tree(name, folder string) error {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if slices.Contains(unneeded, e.Name()) {
			continue
		}
		inside, outside := path.Join(name, e.Name()), filepath.Join(folder, e.Name())
		info, err := os.Stat(outside)
		switch {
		case err != nil && e.Type()&fs.ModeSymlink != 0: // to a package that is not installed
		case err != nil:
			return err
		case info.IsDir():
			err = a.tree(inside, outside)
		default:
			err = a.file(inside, outside)
		}
		if err != nil && e.Type()&fs.ModeSymlink == 0 {
			return err
		}
	}
	return nil
}

var libraryPath = regexp.MustCompile(`(/\S+) \(0x`)

// needed are the system's shared libraries that Java is linked with, as ldd names them.
func needed(ctx context.Context, jre string) ([]string, error) {
	args := []string{filepath.Join(jre, "bin", "java")}
	for _, pattern := range []string{"lib/*.so", "lib/server/*.so"} {
		found, err := filepath.Glob(filepath.Join(jre, filepath.FromSlash(pattern)))
		if err != nil {
			return nil, err
		}
		args = append(args, found...)
	}
	out, err := exec.CommandContext(ctx, "ldd", args...).Output()
	var libraries []string
	for _, match := range libraryPath.FindAllSubmatch(out, -1) {
		if library := string(match[1]); !strings.HasPrefix(library, jre) {
			libraries = append(libraries, library)
		}
	}
	if len(libraries) == 0 {
		return nil, errors.Join(errLdd, err)
	}
	slices.Sort(libraries)
	return slices.Compact(libraries), nil
}

// launcher is a jar with nothing but the names of the others, so that "java -jar DynamoDBLocal.jar" runs here too.
func launcher(p dynamolocal.Program) ([]byte, error) {
	entries, err := os.ReadDir(p.Jars)
	if err != nil {
		return nil, err
	}
	line := "Class-Path:"
	for _, e := range entries {
		line += " DynamoDBLocal_lib/" + e.Name()
	}
	manifest := "Manifest-Version: 1.0\r\nMain-Class: " + p.Main + "\r\n"
	for most := 70; len(line) > most; line = " " + line[most:] { // longer lines are not allowed
		manifest += line[:most] + "\r\n"
	}
	manifest += line + "\r\n\r\n"
	var jar bytes.Buffer
	z := zip.NewWriter(&jar)
	w, err := z.Create("META-INF/MANIFEST.MF")
	if err != nil {
		return nil, err
	}
	if _, err := io.WriteString(w, manifest); err != nil {
		return nil, err
	}
	err = z.Close()
	return jar.Bytes(), err
}
