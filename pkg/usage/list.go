package usage

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"

	"google.golang.org/protobuf/encoding/protowire"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
)

// Content types of a request's Accept header. A server that does not know protobuf for
// what is asked answers in JSON.
const (
	acceptProtobuf = "application/vnd.kubernetes.protobuf,application/json"
	acceptJSON     = "application/json"
)

// message is an API type with a decoder for protobuf.
type message[T any] interface {
	*T
	Unmarshal([]byte) error
}

// query is one LIST.
type query struct {
	path   string
	params url.Values
	accept string
	keep   fields
}

// list asks for a list and hands its objects out one by one as they arrive, so that it
// is never in memory as a whole. It returns the token of the next page, if there is one.
func list[T any, M message[T]](ctx context.Context, client rest.Interface, q query, each func(*T)) (next string, err error) {
	request := client.Get().AbsPath(q.path).SetHeader("Accept", q.accept)
	for name, values := range q.params {
		for _, v := range values {
			request.Param(name, v)
		}
	}
	body, err := request.Stream(ctx)
	if err != nil {
		return "", err
	}
	defer func() { _ = body.Close() }()
	in := bufio.NewReaderSize(body, 64<<10)
	if start, err := in.Peek(len(magic)); err != nil || string(start) != magic {
		return listJSON(in, q.path, each)
	}
	if next, err = listProtobuf[T, M](in, q.keep, each); err != nil {
		return "", fmt.Errorf("GET %s: the list is truncated: %w", q.path, err)
	}
	return next, nil
}

func listJSON[T any](in io.Reader, path string, each func(*T)) (string, error) {
	var l struct {
		Metadata metav1.ListMeta `json:"metadata"`
		Items    []T             `json:"items"`
	}
	if err := json.NewDecoder(in).Decode(&l); err != nil {
		return "", fmt.Errorf("GET %s: neither protobuf nor JSON: %w", path, err)
	}
	for i := range l.Items {
		each(&l.Items[i])
	}
	return l.Metadata.Continue, nil
}

// magic is what Kubernetes puts before protobuf. An envelope follows, the message
// runtime.Unknown, whose field 2 is the object itself. In every list field 1 is the
// metadata and field 2 the items.
const magic = "k8s\x00"

const (
	envelopeObject protowire.Number = 2
	listMetadata   protowire.Number = 1
	listItems      protowire.Number = 2
)

func listProtobuf[T any, M message[T]](in *bufio.Reader, keep fields, each func(*T)) (next string, err error) {
	if _, err := in.Discard(len(magic)); err != nil {
		return "", err
	}
	envelope := &wire{in: in, left: -1}
	var pruned []byte
	for {
		number, size, err := envelope.field()
		if errors.Is(err, io.EOF) {
			return next, nil
		}
		if err != nil {
			return "", err
		}
		if number != envelopeObject {
			if _, err := envelope.bytes(size); err != nil {
				return "", err
			}
			continue
		}
		object := &wire{in: in, left: size}
		for object.left > 0 {
			number, size, err := object.field()
			if err != nil {
				return "", unexpected(err)
			}
			value, err := object.bytes(size)
			if err != nil {
				return "", unexpected(err)
			}
			switch number {
			case listMetadata:
				var meta metav1.ListMeta
				if err := meta.Unmarshal(value); err != nil {
					return "", err
				}
				next = meta.Continue
			case listItems:
				if pruned, err = keep.prune(pruned[:0], value); err != nil {
					return "", err
				}
				item := new(T)
				if err := M(item).Unmarshal(pruned); err != nil {
					return "", err
				}
				each(item)
			}
		}
	}
}

// unexpected makes the end of the stream inside of a list an error.
func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// wire reads the fields of one message from a stream. All fields of envelopes and lists
// have a length.
type wire struct {
	in *bufio.Reader
	// left is how much of the message is still to come; below zero where nobody knows.
	left   int64
	buffer []byte
}

// field reads a tag and the length of its value.
func (w *wire) field() (protowire.Number, int64, error) {
	tag, err := w.varint()
	if err != nil {
		return 0, 0, err
	}
	number, kind := protowire.DecodeTag(tag)
	if kind != protowire.BytesType {
		return 0, 0, fmt.Errorf("field %d has no length", number)
	}
	size, err := w.varint()
	if err != nil {
		return 0, 0, unexpected(err)
	}
	if size > 1<<31 || w.left >= 0 && int64(size) > w.left {
		return 0, 0, fmt.Errorf("field %d is longer than its message", number)
	}
	return number, int64(size), nil
}

func (w *wire) varint() (uint64, error) {
	counted := &byteCounter{in: w.in}
	v, err := binary.ReadUvarint(counted)
	if w.left >= 0 {
		if w.left -= counted.n; w.left < 0 {
			return 0, io.ErrUnexpectedEOF
		}
	}
	return v, err
}

// bytes reads a value; it is good until the next one.
func (w *wire) bytes(size int64) ([]byte, error) {
	if int64(cap(w.buffer)) < size {
		w.buffer = make([]byte, size)
	}
	w.buffer = w.buffer[:size]
	if _, err := io.ReadFull(w.in, w.buffer); err != nil {
		return nil, unexpected(err)
	}
	if w.left >= 0 {
		w.left -= size
	}
	return w.buffer, nil
}

type byteCounter struct {
	in *bufio.Reader
	n  int64
}

func (c *byteCounter) ReadByte() (byte, error) {
	c.n++
	return c.in.ReadByte()
}
