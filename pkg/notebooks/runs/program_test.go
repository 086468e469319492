package runs

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const train = `{"nbformat": 4, "nbformat_minor": 5, "metadata": {"kernelspec": {"name": "python3"}, "big": 12345678901234567890},
	"cells": [
		{"cell_type": "markdown", "source": ["# title"], "metadata": {}},
		{"cell_type": "code", "source": ["1 + 1"], "metadata": {"tags": ["x"]}, "execution_count": 7, "outputs": [{"output_type": "execute_result", "data": {"image/png": "AAAA"}}]}
	]}`

func TestProgramsAreFilesOrCommands(t *testing.T) {
	for _, c := range []struct {
		name, file, content string
		args                []string
		want                []string
		title               string
	}{
		{"a script with arguments", "dir/train.py", "print(1)", []string{"--epochs", "20"}, []string{"python3", "-u", "/run/kubectl-jupyter/train.py", "--epochs", "20"}, "train.py --epochs 20"},
		{"a command", "", "", []string{"nvidia-smi", "-L"}, []string{"nvidia-smi", "-L"}, "nvidia-smi -L"},
		{
			"a notebook", "Train.IPYNB", train, nil,
			[]string{"python3", "-u", "/run/kubectl-jupyter/kubectl-jupyter-run.py", "/run/kubectl-jupyter/Train.IPYNB", "mark", "/home/jovyan", "6291456"},
			"Train.IPYNB",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, err := NewProgram(c.file, []byte(c.content), c.args)
			if err != nil {
				t.Fatal(err)
			}
			if got := p.command("mark", "/home/jovyan"); !slices.Equal(got, c.want) || p.Title() != c.title {
				t.Errorf("%q: %q, want %q: %q", p.Title(), got, c.title, c.want)
			}
		})
	}
}

func TestProgramsThatCannotBeRunAreRefused(t *testing.T) {
	for _, c := range []struct {
		name, file, content string
		args                []string
		says                string
	}{
		{"nothing", "", "", nil, "nothing to run: specify a .ipynb or .py file, or a command after --"},
		{"a file of another kind", "run.sh", "", nil, "run.sh: the file must end with .ipynb or .py; run other programs as a command, after --"},
		{"a notebook with arguments", "a.ipynb", train, []string{"x"}, `a.ipynb: a notebook takes no arguments, got "x"`},
		{"a notebook that is none", "a.ipynb", "print(1)", nil, "a.ipynb: it is not a notebook: invalid character"},
		{"a notebook without a format", "a.ipynb", "{}", nil, "a.ipynb: it is not a notebook: it has no nbformat"},
		{"a notebook without cells", "a.ipynb", `{"nbformat": 4, "cells": 1}`, nil, "a.ipynb: it is not a notebook: cells: "},
		{"a notebook that is no text", "a.ipynb", "\xff\xfe", nil, "a.ipynb: it is not a notebook: it is not UTF-8"},
		{"a name that a ConfigMap does not take", "my train.py", "", nil, "my train.py: rename the file"},
		{"a file that is too large", "big.py", strings.Repeat("#", 1<<20), nil, "big.py: the file has 1024 KiB, at most 960 KiB can be delivered: copy it to the notebook's volume"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := NewProgram(c.file, []byte(c.content), c.args)
			if err == nil || !strings.HasPrefix(err.Error(), c.says) {
				t.Errorf("%v, want %q", err, c.says)
			}
		})
	}
}

func TestANotebookIsDeliveredWithoutItsOutputs(t *testing.T) {
	p, err := NewProgram("train.ipynb", []byte(train), nil)
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Metadata json.RawMessage `json:"metadata"`
		Cells    []map[string]json.RawMessage
	}
	if err := json.Unmarshal(p.Content, &got); err != nil {
		t.Fatal(err)
	}
	code := got.Cells[1]
	if string(code["outputs"]) != "[]" || string(code["execution_count"]) != "null" || string(code["source"]) != `["1 + 1"]` || string(code["metadata"]) != `{"tags":["x"]}` {
		t.Errorf("the cell is %s: want its source and metadata, and no outputs", code)
	}
	if len(got.Cells[0]) != 3 || !strings.Contains(string(got.Metadata), "12345678901234567890") {
		t.Errorf("cells %s, metadata %s: want all else as it was", got.Cells, got.Metadata)
	}
	old := []byte(`{"nbformat": 3, "worksheets": []}`)
	if p, err := NewProgram("old.ipynb", old, nil); err != nil || string(p.Content) != string(old) {
		t.Errorf("%s, error %v: want a notebook of an older format as it is", p.Content, err)
	}
}

// The driver is executed with Python, where there is one with nbclient and a kernel; on a
// real node it always is.
func TestTheDriverExecutesANotebook(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err == nil {
		err = exec.Command(python, "-c", "import nbclient, ipykernel").Run()
	}
	if err != nil {
		t.Skip("there is no python3 with nbclient and ipykernel here: the driver is tested on a real node")
	}
	cell := func(source string) string {
		text, _ := json.Marshal(source)
		return `{"cell_type": "code", "id": "c` + string(text[1:3]) + `", "source": ` + string(text) + `, "metadata": {}, "outputs": [], "execution_count": null}`
	}
	for _, c := range []struct {
		name  string
		cells []string
		limit string
		code  int
		// says is in what was printed, has in the executed notebook; empty: there is none.
		says, has string
	}{
		{"to its end", []string{cell("print('hello')"), cell("x = 6 * 7; x")}, "1000000", 0, "hello\n42\n", `"text/plain"`},
		{"to the cell that fails", []string{cell("print('hello')"), cell("boom = 1 / 0"), cell("print('never')")}, "1000000", 1, "the notebook has failed in cell 2", "ZeroDivisionError"},
		{"that is too large for the log", []string{cell("print('hello')")}, "10", 0, "hello", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			file, program := filepath.Join(dir, "n.ipynb"), filepath.Join(dir, "driver.py")
			text := `{"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [` + strings.Join(c.cells, ",") + `]}`
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(program, []byte(driver), 0o600); err != nil {
				t.Fatal(err)
			}
			run := exec.Command(python, "-u", program, file, "mark:", dir, c.limit)
			run.Dir = dir
			out, err := run.CombinedOutput()
			if code := run.ProcessState.ExitCode(); code != c.code {
				t.Fatalf("exit code %d (%v), want %d:\n%s", code, err, c.code, out)
			}
			var said strings.Builder
			u := &unpicker{out: &said, mark: "mark:"}
			for line := range strings.Lines(string(out)) {
				if _, err := u.Write([]byte("2026-11-27T12:00:00.000000001Z " + line)); err != nil {
					t.Fatal(err)
				}
			}
			if !strings.Contains(said.String(), c.says) || strings.Contains(said.String(), "never") || strings.Contains(said.String(), "mark:") {
				t.Errorf("it said %q, want %q, and nothing that carries the notebook", said.String(), c.says)
			}
			notebook, err := u.notebook()
			if c.has == "" {
				if err == nil || !strings.Contains(err.Error(), dir) {
					t.Fatalf("%v: want it to say where in %s the notebook is", err, dir)
				}
				if left, _ := filepath.Glob(filepath.Join(dir, "n.*.executed.ipynb")); len(left) != 1 {
					t.Errorf("found %v: want the executed notebook", left)
				}
				return
			}
			if err != nil || !strings.Contains(string(notebook), c.has) {
				t.Errorf("error %v, notebook %s: want %s in it", err, notebook, c.has)
			}
		})
	}
}
