package roster

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/users"
)

// Read understands a list in YAML, JSON or CSV, and refuses one with mistakes. What has a
// colon before the first comma, semicolon or line is YAML.
func Read(text []byte) ([]Entry, error) {
	text = bytes.TrimPrefix(text, []byte("\ufeff")) // spreadsheets begin with it
	read := readCSV
	if isYAML(text) {
		read = readYAML
	}
	all, mistakes := read(text)
	if len(mistakes) == 0 {
		mistakes = check(all)
	}
	if more := len(mistakes) - maxErrors; more > 0 {
		mistakes = append(mistakes[:maxErrors], fmt.Errorf("and %d more", more))
	}
	if err := errors.Join(mistakes...); err != nil {
		return nil, err
	}
	if len(all) == 0 {
		return nil, errors.New("the list is empty")
	}
	return all, nil
}

// isYAML tells by the first line that is neither empty nor a comment.
func isYAML(text []byte) bool {
	for line := range bytes.Lines(text) {
		line = bytes.TrimSpace(line)
		if len(line) == 0 || line[0] == '#' {
			continue
		}
		if line[0] == '{' || bytes.HasPrefix(line, []byte("---")) {
			return true
		}
		end := bytes.IndexAny(line, ":,;")
		// The name of a column may have a colon too, but it is not the first column.
		return end >= 0 && line[end] == ':'
	}
	return false
}

// amount is a quantity that YAML may have read as a number.
type amount string

func (a *amount) UnmarshalJSON(text []byte) error {
	if s, err := strconv.Unquote(string(text)); err == nil {
		*a = amount(s)
		return nil
	}
	if _, err := strconv.ParseFloat(string(text), 64); err != nil {
		return fmt.Errorf("%s is not a quantity such as 4, 500m or 16Gi", text)
	}
	*a = amount(text)
	return nil
}

// row is a person in YAML, and what holds for all who do not say otherwise.
type row struct {
	Email        string              `json:"email,omitempty"`
	Profile      string              `json:"profile,omitempty"`
	Quota        map[string]amount   `json:"quota,omitempty"`
	Contributors []users.Contributor `json:"contributors,omitempty"`
	Isolate      *bool               `json:"isolate,omitempty"`
	Password     *bool               `json:"password,omitempty"`
}

func readYAML(text []byte) ([]Entry, []error) {
	var list struct {
		Defaults row   `json:"defaults,omitempty"`
		Users    []row `json:"users"`
	}
	if err := yaml.UnmarshalStrict(text, &list); err != nil {
		return nil, []error{fmt.Errorf("YAML: %w", err)}
	}
	var mistakes []error
	if d := list.Defaults; d.Email != "" || d.Profile != "" {
		mistakes = append(mistakes, errors.New("defaults: an email and a profile are one person's"))
	}
	var all []Entry
	for i, r := range list.Users {
		where := fmt.Sprintf("users[%d]", i)
		if r.Email == "" {
			mistakes = append(mistakes, fmt.Errorf("%s: email is missing", where))
			continue
		}
		e := Entry{Person: users.Person{Email: r.Email, Profile: r.Profile}, Contributors: r.Contributors, Isolate: r.Isolate, Password: true, where: where + " (" + r.Email + ")"}
		if e.Contributors == nil {
			e.Contributors = list.Defaults.Contributors
		}
		if e.Isolate == nil {
			e.Isolate = list.Defaults.Isolate
		}
		for _, p := range []*bool{list.Defaults.Password, r.Password} {
			if p != nil {
				e.Password = *p
			}
		}
		quota := r.Quota
		if quota == nil {
			quota = list.Defaults.Quota
		}
		for name, of := range quota {
			if err := e.limit(name, string(of)); err != nil {
				mistakes = append(mistakes, fmt.Errorf("%s: %w", e.where, err))
			}
		}
		all = append(all, e)
	}
	return all, mistakes
}

// limit adds to the quota.
func (e *Entry) limit(name, of string) error {
	name, of, err := components.Quota(name, of)
	if err != nil {
		return err
	}
	if e.Quota == nil {
		e.Quota = map[string]string{}
	}
	if other, twice := e.Quota[name]; twice {
		return fmt.Errorf("quota %s is given twice, as %s and %s", name, other, of)
	}
	e.Quota[name] = of
	return nil
}

// quotaColumn begins the name of a column for any resource: quota:requests.storage.
const quotaColumn = "quota:"

// columns are those that a table may have beside quotas.
var columns = map[string]func(e *Entry, cell string) error{
	"email":   func(e *Entry, cell string) error { e.Email = cell; return nil },
	"profile": func(e *Entry, cell string) error { e.Profile = cell; return nil },
	"edit":    func(e *Entry, cell string) error { return e.share(users.Edit, cell) },
	"view":    func(e *Entry, cell string) error { return e.share(users.View, cell) },
	"isolate": func(e *Entry, cell string) error {
		yes, err := truth("isolate", cell)
		e.Isolate = &yes
		return err
	},
	"password": func(e *Entry, cell string) (err error) {
		e.Password, err = truth("password", cell)
		return err
	},
	"cpu":    func(e *Entry, cell string) error { return e.limit("cpu", cell) },
	"memory": func(e *Entry, cell string) error { return e.limit("memory", cell) },
	"gpu":    func(e *Entry, cell string) error { return e.limit("gpu", cell) },
}

func (e *Entry) share(role users.Role, cell string) error {
	for _, email := range strings.Fields(cell) {
		e.Contributors = append(e.Contributors, users.Contributor{Email: email, Role: role})
	}
	return nil
}

func truth(column, cell string) (bool, error) {
	switch strings.ToLower(cell) {
	case "true", "yes":
		return true, nil
	case "false", "no":
		return false, nil
	}
	return false, fmt.Errorf("%s: %q is neither true nor false", column, cell)
}

func readCSV(text []byte) ([]Entry, []error) {
	r := csv.NewReader(bytes.NewReader(text))
	r.Comment, r.TrimLeadingSpace = '#', true
	if first, _, _ := strings.Cut(strings.TrimSpace(string(text)), "\n"); strings.Contains(first, ";") && !strings.Contains(first, ",") {
		r.Comma = ';' // as spreadsheets write where the comma belongs to numbers
	}
	header, err := r.Read()
	if errors.Is(err, io.EOF) {
		return nil, nil
	}
	if err != nil {
		return nil, []error{fmt.Errorf("CSV: %w", err)}
	}
	var set []func(e *Entry, cell string) error
	for i, name := range header {
		name = strings.TrimSpace(name)
		header[i] = name
		of := columns[name]
		if resource, is := strings.CutPrefix(name, quotaColumn); is {
			of = func(e *Entry, cell string) error { return e.limit(resource, cell) }
		}
		if of == nil {
			return nil, []error{fmt.Errorf("CSV: the header has a column %q: the columns are email, profile, password, isolate, edit, view, cpu, memory, gpu and quota:RESOURCE", name)}
		}
		if slices.Contains(header[:i], name) {
			return nil, []error{fmt.Errorf("CSV: the header has two columns %q", name)}
		}
		set = append(set, of)
	}
	if !slices.Contains(header, "email") {
		return nil, []error{errors.New("CSV: the first line has no column email: it must name the columns")}
	}
	var all []Entry
	var mistakes []error
	for {
		cells, err := r.Read()
		if errors.Is(err, io.EOF) {
			return all, mistakes
		}
		if err != nil {
			return nil, append(mistakes, fmt.Errorf("CSV: %w", err))
		}
		line, _ := r.FieldPos(0)
		e := Entry{Password: true, where: fmt.Sprintf("line %d", line)}
		if slices.Contains(header, "edit") || slices.Contains(header, "view") {
			e.Contributors = []users.Contributor{} // named by the table, if there are any
		}
		for i, cell := range cells {
			if cell = strings.TrimSpace(cell); cell == "" {
				continue
			}
			if err := set[i](&e, cell); err != nil {
				mistakes = append(mistakes, fmt.Errorf("line %d: %w", line, err))
			}
		}
		if e.Email == "" {
			mistakes = append(mistakes, fmt.Errorf("line %d: the column email is empty", line))
			continue
		}
		e.where += " (" + e.Email + ")"
		all = append(all, e)
	}
}
