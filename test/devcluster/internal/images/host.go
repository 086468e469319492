package images

import (
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"sort"
	"strings"
)

// triplets name the directories of libraries on Debian and Ubuntu.
var triplets = map[string]string{"amd64": "x86_64-linux-gnu", "arm64": "aarch64-linux-gnu"}

func libraryDirs() []string {
	t := triplets[runtime.GOARCH]
	return []string{"/lib/" + t, "/usr/lib/" + t, "/lib64", "/usr/lib64", "/lib", "/usr/lib"}
}

// closure returns the programs and, for each of them, the loader and the
// libraries of this machine that it needs: paths in the image to files here.
// programs are paths in the image to files here as well.
func closure(programs map[string]string, dirs []string) (map[string]string, error) {
	all := map[string]string{}
	var add func(path, from string) error
	add = func(path, from string) error {
		if _, ok := all[path]; ok {
			return nil
		}
		all[path] = from
		f, err := elf.Open(from)
		var format *elf.FormatError
		if errors.As(err, &format) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return nil // a script or data
		}
		if err != nil {
			return err
		}
		defer func() { _ = f.Close() }()
		for _, p := range f.Progs {
			if p.Type == elf.PT_INTERP {
				b := make([]byte, p.Filesz)
				if _, err := p.ReadAt(b, 0); err != nil {
					return fmt.Errorf("loader of %s: %w", from, err)
				}
				interp := strings.TrimRight(string(b), "\x00")
				if err := add(interp, interp); err != nil {
					return err
				}
			}
		}
		libs, err := f.ImportedLibraries()
		if err != nil {
			return fmt.Errorf("libraries of %s: %w", from, err)
		}
		for _, l := range libs {
			found := false
			for _, d := range dirs {
				p := filepath.Join(d, l)
				if _, err := os.Stat(p); err == nil {
					if err := add(p, p); err != nil {
						return err
					}
					found = true
					break
				} else if !errors.Is(err, fs.ErrNotExist) {
					return err
				}
			}
			if !found {
				return fmt.Errorf("library %s of %s is not on this machine", l, from)
			}
		}
		return nil
	}
	paths := make([]string, 0, len(programs))
	for p := range programs {
		paths = append(paths, p)
	}
	sort.Strings(paths)
	for _, p := range paths {
		if err := add(p, programs[p]); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// iptables returns the machine's iptables for an image: the program with the
// nftables back end and its extensions.
func iptables() (map[string]string, error) {
	const multi = "/usr/sbin/xtables-nft-multi"
	if _, err := os.Stat(multi); err != nil {
		return nil, fmt.Errorf("iptables of this machine: %w: apt-get install --no-install-recommends iptables", err)
	}
	all := map[string]string{multi: multi}
	for _, d := range libraryDirs() {
		// Where /lib is a link to /usr/lib, iptables looks below the latter.
		if real, err := filepath.EvalSymlinks(d); err == nil {
			d = real
		}
		extensions, err := filepath.Glob(filepath.Join(d, "xtables", "*.so"))
		if err != nil {
			return nil, err
		}
		if len(extensions) > 0 {
			for _, e := range extensions {
				all[e] = e
			}
			return all, nil
		}
	}
	return nil, errors.New("iptables of this machine has no extensions")
}

// iptablesNames are the names by which the one program is called.
var iptablesNames = []string{
	"iptables", "iptables-save", "iptables-restore", "iptables-nft", "iptables-nft-save", "iptables-nft-restore",
	"ip6tables", "ip6tables-save", "ip6tables-restore", "ip6tables-nft", "ip6tables-nft-save", "ip6tables-nft-restore",
}
