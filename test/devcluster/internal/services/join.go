package services

import (
	"io"
	"net"
	"sync"
)

// Join copies between two connections until both directions have ended, then
// closes both. An end of one direction is passed on, so that protocols that
// close one side first work.
func Join(a, b net.Conn) {
	var wg sync.WaitGroup
	oneWay := func(dst, src net.Conn) {
		_, err := io.Copy(dst, src)
		if c, ok := dst.(interface{ CloseWrite() error }); ok && err == nil {
			_ = c.CloseWrite()
			return
		}
		_ = dst.Close()
		_ = src.Close()
	}
	wg.Go(func() { oneWay(a, b) })
	wg.Go(func() { oneWay(b, a) })
	wg.Wait()
	_ = a.Close()
	_ = b.Close()
}
