package view

import (
	"strings"
	"testing"
)

func share(text string, percent float64) Cell { return Cell{Text: text, Percent: &percent} }

func TestGrid(t *testing.T) {
	g := Grid{Headers: []string{"NAME", "CPU%", "FREE"}, Rows: [][]Cell{
		{Text("gpu-0"), share("5%", 5.5), {Text: "3", Level: Calm}},
		{Text("a-longer-name"), share("115%", 115), {}},
		{Text("c"), {Text: "<unknown>", Level: Faint}, {Text: "-2", Level: High}},
	}}
	for _, tt := range []struct {
		name    string
		options GridOptions
		want    string
	}{
		{"is a table without colours and bars where nobody looks", GridOptions{}, `
NAME            CPU%        FREE
gpu-0           5%          3
a-longer-name   115%        -
c               <unknown>   -2
`},
		{"may have no headers", GridOptions{NoHeaders: true}, `
gpu-0           5%          3
a-longer-name   115%        -
c               <unknown>   -2
`},
		{"has bars in a column, of eighths, filled by what exceeds a hundred", GridOptions{Bars: true}, `
NAME            CPU%              FREE
gpu-0             5% ▌·········   3
a-longer-name   115% ██████████   -
c               <unknown>         -2
`},
		{"leaves bars out that do not fit the terminal", GridOptions{Bars: true, Width: 37}, `
NAME            CPU%        FREE
gpu-0           5%          3
a-longer-name   115%        -
c               <unknown>   -2
`},
		{"has bars where they just fit", GridOptions{Bars: true, Width: 38}, `
NAME            CPU%              FREE
gpu-0             5% ▌·········   3
a-longer-name   115% ██████████   -
c               <unknown>         -2
`},
		{"has colours by threshold, which take no room", GridOptions{Style: Style{Color: true}}, `
[1mNAME[0m            [1mCPU%[0m        [1mFREE[0m
gpu-0           [32m5%[0m          [32m3[0m
a-longer-name   [31m115%[0m        -
c               [2m<unknown>[0m   [31m-2[0m
`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var b strings.Builder
			if err := g.Print(&b, tt.options); err != nil {
				t.Fatal(err)
			}
			want := strings.ReplaceAll(strings.TrimPrefix(tt.want, "\n"), "[", "\x1b[")
			if !tt.options.Style.Color {
				want = strings.TrimPrefix(tt.want, "\n")
			}
			if b.String() != want {
				t.Errorf("got\n%s\nwant\n%s", b.String(), want)
			}
		})
	}
}

func TestWhatOthersWroteDoesNotSteerTheTerminal(t *testing.T) {
	var b strings.Builder
	g := Grid{Headers: []string{"PRODUCT", "REASON"}, Rows: [][]Cell{{Text("a\x1b[2Jb"), Text("one\ntwo\r\tthree")}}}
	if err := g.Print(&b, GridOptions{NoHeaders: true}); err != nil {
		t.Fatal(err)
	}
	if want := "a [2Jb   one two  three\n"; b.String() != want {
		t.Errorf("got %q, want %q", b.String(), want)
	}
}

func TestThresholds(t *testing.T) {
	for percent, want := range map[float64]Level{0: Calm, 74.9: Calm, 75: Raised, 89.9: Raised, 90: High, 250: High} {
		if got := LevelOf(percent); got != want {
			t.Errorf("%v %% is %v, want %v", percent, got, want)
		}
	}
}

func TestBars(t *testing.T) {
	for percent, want := range map[float64]string{
		-1: "··········", 0: "··········", 1.25: "▏·········", 10: "█·········", 50: "█████·····", 98: "█████████▊", 100: "██████████", 300: "██████████",
	} {
		if got := bar(percent); got != want {
			t.Errorf("%v %%: %q, want %q", percent, got, want)
		}
	}
}

func TestCSV(t *testing.T) {
	var b strings.Builder
	if err := CSV(&b, []string{"name", "product"}, [][]string{{"n", `A "100", of sorts`}, {"m", ""}}); err != nil {
		t.Fatal(err)
	}
	if want := "name,product\nn,\"A \"\"100\"\", of sorts\"\nm,\n"; b.String() != want {
		t.Errorf("got %q, want %q", b.String(), want)
	}
	b.Reset()
	if err := CSV(&b, nil, [][]string{{"n"}}); err != nil || b.String() != "n\n" {
		t.Errorf("without headers: %q, %v", b.String(), err)
	}
}

func TestTheScreenIsDrawnOverInPlace(t *testing.T) {
	var b strings.Builder
	s := NewScreen(&b, func() (int, int) { return 10, 6 })
	show := func(body, foot, want string) {
		t.Helper()
		b.Reset()
		if err := s.Show(body, foot); err != nil {
			t.Fatal(err)
		}
		if b.String() != want {
			t.Errorf("got %q, want %q", b.String(), want)
		}
	}
	const clear = "\r\x1b[J"
	show("one\ntwo\n", "foot", clear+"one\ntwo\nfoot\n")
	// Three lines stand there; they are gone over, and what is left of them is cleared.
	show("one\n", "foot", "\x1b[3A"+clear+"one\nfoot\n")
	show("1\n2\n3\n4\n5\n", "foot", "\x1b[2A"+clear+"1\n2\n3\n... and 2\nfoot\n")
	show("a line that is too long\n", "", "\x1b[5A"+clear+"a line th\n")
	// Colours take no room and end with the line.
	show("\x1b[31ma line that is too long\x1b[0m\n", "", "\x1b[1A"+clear+"\x1b[31ma line th\x1b[0m\n")
	show("", "", "\x1b[1A"+clear)
	// The foot is wrapped, goes before the body, and its end before its beginning.
	show("1\n2\n3\n", "\x1b[33mit is\x1b[0m away", clear+"1\n2\n3\n\x1b[33mit is\x1b[0m\naway\n")
	show("1\n2\n3\n4\n", "one foot two foot\nfoot\n", "\x1b[5A"+clear+"1\n... and 3\none foot\ntwo foot\nfoot\n")
	// Wrapped, it would leave no room for the body.
	show("1\n2\n", "one foot two foot three foot\n", "\x1b[5A"+clear+"1\n2\none foot \n")
	show("1\n2\n", "one\ntwo\nthree\nfour\nfive\nsix\n", "\x1b[3A"+clear+"two\nthree\nfour\nfive\nsix\n")
}
