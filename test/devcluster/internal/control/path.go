package control

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
)

// maxPath is how long the path of a Unix socket may be: sun_path holds 108
// bytes, the last of them zero.
const maxPath = 107

// withPath calls f with a path of the socket that is short enough. A
// directory too deep for a socket is opened and named by its descriptor.
func withPath(socket string, f func(path string) error) error {
	if len(socket) <= maxPath {
		return f(socket)
	}
	dir, err := os.Open(filepath.Dir(socket))
	if err != nil {
		return err
	}
	defer func() { _ = dir.Close() }()
	return f(fmt.Sprintf("/proc/self/fd/%d/%s", dir.Fd(), filepath.Base(socket)))
}

func listen(socket string) (*net.UnixListener, error) {
	if err := os.Remove(socket); err != nil && !os.IsNotExist(err) {
		return nil, err
	}
	var l *net.UnixListener
	err := withPath(socket, func(path string) error {
		var err error
		l, err = net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
		if err == nil {
			// The path may be one of this process alone: the bed's files are
			// removed by name.
			l.SetUnlinkOnClose(false)
		}
		return err
	})
	return l, err
}

func dial(socket string) (*net.UnixConn, error) {
	var c *net.UnixConn
	err := withPath(socket, func(path string) error {
		var err error
		c, err = net.DialUnix("unix", nil, &net.UnixAddr{Name: path, Net: "unix"})
		return err
	})
	return c, err
}
