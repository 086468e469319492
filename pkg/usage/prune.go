package usage

import (
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"
)

// fields are the fields of a protobuf message that are wanted, by number. A field whose
// own fields are nil is wanted as a whole.
//
// Decoding is what a large cluster costs: of a node's or a pod's ten kilobytes top needs
// a few hundred. What is not wanted is cut out of the message as it comes from the wire;
// the rest is decoded by the type's own decoder, so nothing is interpreted twice.
type fields map[protowire.Number]fields

// fieldsOf finds the numbers of JSON paths such as status.allocatable in the protobuf
// tags of T. A path that T does not have is a mistake in the program.
func fieldsOf[T any](paths ...string) fields {
	out := fields{}
	for _, path := range paths {
		at, t := out, reflect.TypeFor[T]()
		names := strings.Split(path, ".")
		for i, name := range names {
			number, field := fieldOf(t, name)
			if number == 0 {
				panic(fmt.Sprintf("%s has no field %s", reflect.TypeFor[T](), path))
			}
			if i == len(names)-1 {
				at[number] = nil
				break
			}
			below, named := at[number]
			if named && below == nil {
				break // wanted as a whole already
			}
			if below == nil {
				below = fields{}
				at[number] = below
			}
			at, t = below, field
		}
	}
	return out
}

// fieldOf finds the field with a JSON name: its protobuf number and its type, that of
// its elements for lists and pointers.
func fieldOf(t reflect.Type, name string) (protowire.Number, reflect.Type) {
	for i := range t.NumField() {
		f := t.Field(i)
		if json, _, _ := strings.Cut(f.Tag.Get("json"), ","); json != name {
			continue
		}
		parts := strings.Split(f.Tag.Get("protobuf"), ",")
		if len(parts) < 2 {
			continue
		}
		number, err := strconv.Atoi(parts[1])
		if err != nil {
			continue
		}
		below := f.Type
		for below.Kind() == reflect.Pointer || below.Kind() == reflect.Slice {
			below = below.Elem()
		}
		return protowire.Number(number), below
	}
	return 0, nil
}

// prune appends to dst the wanted fields of the message src.
func (f fields) prune(dst, src []byte) ([]byte, error) {
	for len(src) > 0 {
		number, kind, n := protowire.ConsumeTag(src)
		if n < 0 {
			return dst, protowire.ParseError(n)
		}
		size := protowire.ConsumeFieldValue(number, kind, src[n:])
		if size < 0 {
			return dst, protowire.ParseError(size)
		}
		below, wanted := f[number]
		switch {
		case !wanted:
		case below == nil || kind != protowire.BytesType:
			dst = append(dst, src[:n+size]...)
		default:
			value, _ := protowire.ConsumeBytes(src[n:])
			dst = append(dst, src[:n]...)
			// The length is known only afterwards, so it gets room for all that it may be.
			// Decoders accept numbers that are longer than they need to be.
			start := len(dst)
			dst = append(dst, 0, 0, 0, 0)
			var err error
			if dst, err = below.prune(dst, value); err != nil {
				return dst, err
			}
			length := len(dst) - start - 4
			if length >= 1<<28 {
				return dst, errTooLong
			}
			for i := range 4 {
				dst[start+i] = byte(length>>(7*i)) & 0x7f
				if i < 3 {
					dst[start+i] |= 0x80
				}
			}
		}
		src = src[n+size:]
	}
	return dst, nil
}

var errTooLong = errors.New("a field of more than 256 MiB")
