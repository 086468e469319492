package runs

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// maxUnpacked bounds an executed notebook: what is packed is small, and says nothing of
// how large it becomes.
const maxUnpacked = 512 << 20

// unpicker takes a log with time stamps apart: what the program said goes to out as it
// comes, and the lines that carry the executed notebook are kept. A log that was broken
// off can be continued: what was written already is left out.
type unpicker struct {
	out io.Writer
	// mark begins the lines that carry; empty where there are none.
	mark string

	// stamp of the line at hand, and head is its text until it is known what it is.
	stamp, head []byte
	place       place
	// last is the stamp of the last complete line, and same how many lines have it; current
	// is that of the line after it, of which written bytes were.
	last, current time.Time
	same, written int
	// again: a log was opened anew and may repeat lines, of which seen have the last stamp;
	// skip are bytes of a line that were written already.
	again      bool
	seen, skip int
	carried
}

type place int

const (
	inStamp   place = iota
	inHead          // it may be a line that carries
	inText          // it is the program's
	inCarried       // it carries
	inOld           // it was there before
)

// Write takes a piece of the log.
func (u *unpicker) Write(p []byte) (int, error) {
	size := len(p)
	for len(p) > 0 {
		if u.place == inStamp {
			i := bytes.IndexAny(p, " \n")
			if i < 0 {
				u.stamp = append(u.stamp, p...)
				return size, nil
			}
			u.stamp = append(u.stamp, p[:i]...)
			ended := p[i] == '\n'
			p = p[i+1:]
			u.begin()
			if ended { // an empty line may have no space
				if err := u.end(); err != nil {
					return 0, err
				}
			}
			continue
		}
		i := bytes.IndexByte(p, '\n')
		piece := p
		if i >= 0 {
			piece = p[:i]
		}
		if err := u.text(piece); err != nil {
			return 0, err
		}
		p = p[len(piece):]
		if i >= 0 {
			p = p[1:]
			if err := u.end(); err != nil {
				return 0, err
			}
		}
	}
	return size, nil
}

// begin of a line whose stamp is complete.
func (u *unpicker) begin() {
	at, err := time.Parse(time.RFC3339Nano, string(u.stamp))
	u.stamp, u.head, u.place = u.stamp[:0], u.head[:0], inHead
	broke, wrote := u.current, u.written
	u.written, u.skip = 0, 0
	if err != nil {
		return // not a log with stamps: nothing of it is old
	}
	if u.again {
		if at.Equal(u.last) {
			u.seen++
		}
		if at.Before(u.last) || at.Equal(u.last) && u.seen <= u.same {
			u.place, u.written = inOld, wrote
			return
		}
		u.again = false
		if at.Equal(broke) {
			u.skip = wrote
		}
	}
	u.current = at
}

func (u *unpicker) text(piece []byte) error {
	switch u.place {
	case inOld:
		return nil
	case inCarried:
		u.head = append(u.head, piece...)
		return nil
	case inText:
		return u.say(piece)
	}
	u.head = append(u.head, piece...)
	switch {
	case u.mark != "" && strings.HasPrefix(string(u.head), u.mark):
		u.place = inCarried
	case u.mark != "" && strings.HasPrefix(u.mark, string(u.head)):
	default:
		u.place = inText
		return u.say(u.head)
	}
	return nil
}

// say writes what was not written before the log broke off.
func (u *unpicker) say(piece []byte) error {
	u.written += len(piece)
	left := min(u.skip, len(piece))
	u.skip -= left
	_, err := u.out.Write(piece[left:])
	return err
}

func (u *unpicker) end() error {
	was := u.place
	u.place = inStamp
	switch was {
	case inOld:
		return nil
	case inCarried:
		u.take(strings.TrimSpace(strings.TrimPrefix(string(u.head), u.mark)))
	case inHead:
		if err := u.say(u.head); err != nil {
			return err
		}
		fallthrough
	default:
		if _, err := u.out.Write([]byte("\n")); err != nil {
			return err
		}
	}
	if u.current.Equal(u.last) {
		u.same++
	} else {
		u.same = 1
	}
	u.last, u.current, u.written, u.skip = u.current, time.Time{}, 0, 0
	return nil
}

// broken forgets the beginning of a line that will come again.
func (u *unpicker) broken() {
	u.stamp, u.place, u.seen = u.stamp[:0], inStamp, 0
	u.again = !u.last.IsZero() || u.written > 0
}

// carried is an executed notebook on its way.
type carried struct {
	size   int
	sum    string
	packed strings.Builder
	begun  bool
	ended  bool
	// large: it was too large to be carried, and at is where it is instead.
	large bool
	at    string
}

func (c *carried) take(text string) {
	words := strings.SplitN(text, " ", 3)
	switch {
	case words[0] == "begin" && len(words) == 3:
		c.size, _ = strconv.Atoi(words[1])
		c.sum, c.begun = words[2], true
		c.packed.Reset()
	case words[0] == "end" && c.begun:
		c.ended = true
	case words[0] == "large" && len(words) >= 2:
		c.large = true
		c.size, _ = strconv.Atoi(words[1])
		if len(words) == 3 {
			c.at = words[2]
		}
	case c.begun && !c.ended && c.packed.Len()+len(text) <= maxCarried+maxContent:
		c.packed.WriteString(text)
	}
}

// notebook is the executed one; nil where none came.
func (c *carried) notebook() ([]byte, error) {
	switch {
	case c.large && c.at == "":
		return nil, fmt.Errorf("it has %d MiB, more than a log can carry, and there is no volume to keep it: its outputs are lost", c.size>>20)
	case c.large:
		return nil, fmt.Errorf("it has %d MiB, more than a log can carry: it is at %s on the notebook's volume", c.size>>20, c.at)
	case !c.begun:
		return nil, nil
	case !c.ended || c.packed.Len() != c.size:
		return nil, fmt.Errorf("it came incomplete: %d of %d bytes; its node has not kept the whole log", c.packed.Len(), c.size)
	}
	zipped, err := base64.StdEncoding.DecodeString(c.packed.String())
	if err != nil {
		return nil, err
	}
	in, err := gzip.NewReader(bytes.NewReader(zipped))
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(io.LimitReader(in, maxUnpacked))
	if err != nil {
		return nil, err
	}
	if sum := sha256.Sum256(text); hex.EncodeToString(sum[:]) != c.sum {
		return nil, errors.New("it came damaged: its checksum is wrong")
	}
	return text, nil
}
