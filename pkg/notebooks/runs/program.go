// Package runs executes programs with what a notebook has: a Job with its image, volumes,
// variables, account and PodDefaults, on the same hardware or on other.
package runs

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"unicode/utf8"

	"k8s.io/apimachinery/pkg/util/validation"
)

// driver executes a notebook in the Job's pod.
//
//go:embed notebook.py
var driver string

// ProgramKind is what a program is.
type ProgramKind string

// The kinds.
const (
	// Notebook is an .ipynb file; it comes back executed.
	Notebook ProgramKind = "notebook"
	// Script is a .py file.
	Script ProgramKind = "script"
	// Command is one of the image's.
	Command ProgramKind = "command"
)

// Program is what is to be executed.
type Program struct {
	Kind ProgramKind
	// File is the base name of a notebook or a script, Content what is in it.
	File    string
	Content []byte
	// Args follow a script, or are the command.
	Args []string
}

// maxContent bounds a file: it is delivered in a ConfigMap, which holds 1 MiB, beside the
// driver and what names them.
const maxContent = 1<<20 - 64<<10

// NewProgram checks what is to be executed: a file with its content, or a command.
func NewProgram(file string, content []byte, args []string) (Program, error) {
	p := Program{Kind: Command, Args: args}
	if file == "" {
		if len(args) == 0 {
			return p, errors.New("nothing to run: specify a .ipynb or .py file, or a command after --")
		}
		return p, nil
	}
	p.File, p.Content = path.Base(file), content
	switch strings.ToLower(path.Ext(file)) {
	case ".py":
		p.Kind = Script
	case ".ipynb":
		p.Kind = Notebook
		if len(args) > 0 {
			return p, fmt.Errorf("%s: a notebook takes no arguments, got %q", file, args[0])
		}
		stripped, err := withoutOutputs(content)
		if err != nil {
			return p, fmt.Errorf("%s: %w", file, err)
		}
		p.Content = stripped
	default:
		return p, fmt.Errorf("%s: the file must end with .ipynb or .py; run other programs as a command, after --", file)
	}
	if errs := validation.IsConfigMapKey(p.File); len(errs) > 0 {
		return p, fmt.Errorf("%s: rename the file: only letters, digits, dashes, underscores and dots can be delivered", file)
	}
	if len(p.Content) > maxContent {
		return p, fmt.Errorf("%s: the file has %d KiB, at most %d KiB can be delivered: copy it to the notebook's volume with `kubectl jupyter notebook cp`, and run it from there as a command, after --",
			file, len(p.Content)>>10, maxContent>>10)
	}
	return p, nil
}

// Title is the program in a few words.
func (p Program) Title() string {
	if p.Kind == Command {
		return strings.Join(p.Args, " ")
	}
	return strings.Join(append([]string{p.File}, p.Args...), " ")
}

// withoutOutputs takes the outputs out of a notebook. Executing makes them anew, and
// pictures are most of what a notebook weighs.
func withoutOutputs(content []byte) ([]byte, error) {
	if !utf8.Valid(content) {
		return nil, errors.New("it is not a notebook: it is not UTF-8")
	}
	var whole map[string]json.RawMessage
	if err := json.Unmarshal(content, &whole); err != nil {
		return nil, fmt.Errorf("it is not a notebook: %w", err)
	}
	var format int
	if err := json.Unmarshal(whole["nbformat"], &format); err != nil {
		return nil, errors.New("it is not a notebook: it has no nbformat")
	}
	if format != 4 {
		return content, nil // nbformat knows the older ones
	}
	var cells []map[string]json.RawMessage
	if err := json.Unmarshal(whole["cells"], &cells); err != nil {
		return nil, fmt.Errorf("it is not a notebook: cells: %w", err)
	}
	for _, c := range cells {
		if string(bytes.TrimSpace(c["cell_type"])) == `"code"` {
			c["outputs"], c["execution_count"] = json.RawMessage("[]"), json.RawMessage("null")
		}
	}
	var err error
	if whole["cells"], err = json.Marshal(cells); err != nil {
		return nil, err
	}
	return json.Marshal(whole)
}

// at is where the files of a run are in its pod.
const at = "/run/kubectl-jupyter"

// maxCarried bounds the executed notebook on its way through the log, packed. A node keeps
// 10 MiB of a log by default.
const maxCarried = 6 << 20

// command starts the program; mark begins the lines that carry the executed notebook, and
// shelf is a directory for one that is too large for that.
func (p Program) command(mark, shelf string) []string {
	switch p.Kind {
	case Notebook:
		return []string{"python3", "-u", at + "/" + driverFile, at + "/" + p.File, mark, shelf, fmt.Sprint(maxCarried)}
	case Script:
		return append([]string{"python3", "-u", at + "/" + p.File}, p.Args...)
	}
	return slices.Clone(p.Args)
}

// driverFile is the driver's name beside the notebook.
const driverFile = "kubectl-jupyter-run.py"

// files are delivered to the pod, by their names.
func (p Program) files() map[string][]byte {
	switch p.Kind {
	case Notebook:
		return map[string][]byte{p.File: p.Content, driverFile: []byte(driver)}
	case Script:
		return map[string][]byte{p.File: p.Content}
	}
	return nil
}
