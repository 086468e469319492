package copying

import (
	"fmt"
	"strings"
)

// What is run in the container, by a shell as POSIX has it. Each begins in the folder of its
// first argument; names of files come in standard input where there may be many, since
// arguments are part of a URL. What answers ends with ok: an answer that is cut off looks
// like one that has ended.
const (
	// start goes to the place and knows how to read a name.
	start = `LC_ALL=C; export LC_ALL; unset CDPATH; set -f
cd "$1" || exit 1
name() { case $1 in *\\*) f=$(printf '%bx' "$1"); f=./${f%x};; *) f=./$1;; esac; }
`
	missingScript = `for t do command -v "$t" >/dev/null 2>&1 || printf '%s\n' "$t"; done; echo ok`

	findScript = `LC_ALL=C; export LC_ALL; unset CDPATH
if [ -d "$1" ]; then cd "$1" && printf 'd\0%s\0' "$(pwd -P)"; else
d=$(dirname "$1"); k=n
if [ -f "$1" ]; then k=f; elif [ -e "$1" ] || [ -h "$1" ]; then k=o; fi
[ -d "$d" ] || { printf 'p\0%s\0ok\n' "$d"; exit 0; }
b=$(basename "$1"); cd "$d" && printf '%s\0%s\0%s\0' "$k" "$(pwd -P)" "$b"
fi || exit 1
echo ok`

	// treeScript asks GNU find where there is one, which takes one process for all files.
	treeScript = start + `list() {
if find . -prune -printf '' 2>/dev/null; then
find "$1" \( -name lost+found -o -name '` + mark + `*' \) -prune -o -printf '%y %s %m %T@ %p\0'
else
find "$1" \( -name lost+found -o -name '` + mark + `*' \) -prune -o -exec sh -c 'set -f; for f do
k=o; if [ -h "$f" ]; then k=l; elif [ -d "$f" ]; then k=d; elif [ -f "$f" ]; then k=f; fi
set -- $(ls -lnd "$f"); printf "%s %s %s 0 %s\0" "$k" "$5" "$1" "$f"
done' sh {} +
fi; }
p=./$2
if [ -d "$p" ]; then printf 'd\0'; cd "$p" && list . || exit 1
elif [ -f "$p" ] && [ -h "$p" ]; then printf 'f\0f %s 644 0 .\0' "$(($(wc -c <"$p")))"
elif [ -f "$p" ]; then printf 'f\0'; set -- "$p"
if find . -prune -printf '' 2>/dev/null; then find "$p" -prune -printf '%y %s %m %T@ .\0' || exit 1
else set -- $(ls -lnd "$p"); printf 'f %s %s 0 .\0' "$5" "$1"; fi
elif [ -e "$p" ] || [ -h "$p" ]; then printf 'o\0'
else printf 'n\0'; fi
echo ok`

	sizeScript = start + `if [ -f "./$2" ]; then wc -c <"./$2" || exit 1; else echo 0; fi; echo ok`

	// sumsScript takes a line for each file: how many bytes, or a dash, and its name.
	sumsScript = start + `set --
flush() { [ $# -eq 0 ] || sha256sum "$@" || exit 1; }
while read -r n e; do name "$e"
if [ "$n" = - ]; then set -- "$@" "$f"; if [ $# -ge 100 ]; then flush "$@"; set --; fi
else flush "$@"; set --; [ -r "$f" ] || { echo "$f cannot be read" >&2; exit 1; }; head -c "$n" "$f" | sha256sum || exit 1; fi
done
flush "$@"; echo ok`

	// sendScript writes bytes from the one on that is counted from 1.
	sendScript = start + `[ -r "./$2" ] || { echo "$2 cannot be read" >&2; exit 1; }
tail -c "+$3" "./$2" | head -c "$4"`

	// receiveScript writes from a block on. Should an earlier one still be writing, then
	// it writes the same bytes to the same place.
	receiveScript = start + `case $2 in */*) mkdir -p "./${2%/*}" || exit 1;; esac
dd of="./$2" bs=65536 seek="$3" conv=notrunc || exit 1
wc -c <"./$2" && echo ok`

	sendAllScript = start + `cd "./$2" || exit 1
set --
while read -r e; do name "$e"; set -- "$@" "$f"; done
exec tar -cf - "$@"`

	receiveAllScript = start + `mkdir -p "./$2" && cd "./$2" && tar -xof - && echo ok`

	foldersScript = start + `while read -r e; do name "$e"; mkdir -p "$f" || exit 1; done; echo ok`

	// finishScript sets permissions, and the time in the form of touch where it is known.
	finishScript = start + `chmod "$3" "./$2" || exit 1
[ -z "$4" ] || TZ=UTC0 touch -m -t "$4" "./$2" || exit 1
echo ok`

	// renameScript, and mergeScript, may be run again after they were broken off.
	renameScript = start + `if [ -e "./$2" ]; then
[ ! -d "./$3" ] || { echo "$3 is a folder meanwhile" >&2; exit 1; }
mv -f "./$2" "./$3" || exit 1
else [ -e "./$3" ] || { echo "$2 is gone" >&2; exit 1; }; fi
echo ok`

	mergeScript = start + `s=./$2; t=./$3
while read -r e; do name "$e"
if [ -e "$s/$f" ]; then mv -f "$s/$f" "$t/$f" || exit 1
else [ -e "$t/$f" ] || { echo "$f is gone" >&2; exit 1; }; fi
done; echo ok`

	removeScript = start + `rm -rf "./$2" && echo ok`
)

// needed are the programs without which nothing works; others have something that does
// without them.
var (
	needed    = []string{"basename", "chmod", "dd", "dirname", "find", "head", "ls", "mkdir", "mv", "printf", "rm", "tail", "touch", "wc"}
	sumsTool  = "sha256sum"
	tarTool   = "tar"
	lookedFor = append(append([]string{}, needed...), sumsTool, tarTool)
)

// escape writes a name as printf %b reads it: any byte may be in a name, and a line ends
// with the first newline.
func escape(name string) string {
	var b strings.Builder
	for i := range len(name) {
		c := name[i]
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("/._-", c) >= 0 {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, `\0%03o`, c)
		}
	}
	return b.String()
}

// lines are names for standard input.
func lines(names []string) *strings.Reader {
	var b strings.Builder
	for _, n := range names {
		b.WriteString(escape(n))
		b.WriteByte('\n')
	}
	return strings.NewReader(b.String())
}
