package bundle

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// archive is a tar.gz that is written as it grows.
type archive struct {
	zip    *gzip.Writer
	tar    *tar.Writer
	folder string
	time   time.Time
}

func newArchive(w io.Writer, folder string, t time.Time) *archive {
	zip := gzip.NewWriter(w)
	return &archive{zip, tar.NewWriter(zip), folder, t.UTC().Truncate(time.Second)}
}

func (a *archive) file(name, content string) error {
	// What is unpacked is somebody's cluster: nobody else's to read.
	err := a.tar.WriteHeader(&tar.Header{
		Typeflag: tar.TypeReg, Name: a.folder + "/" + name, Size: int64(len(content)), Mode: 0o600, ModTime: a.time,
	})
	if err == nil {
		_, err = io.WriteString(a.tar, content)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

func (a *archive) Close() error { return errors.Join(a.tar.Close(), a.zip.Close()) }

func lines(all []string) string {
	if len(all) == 0 {
		return ""
	}
	return strings.Join(all, "\n") + "\n"
}
