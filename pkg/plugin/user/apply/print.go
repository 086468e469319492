package apply

import (
	"encoding/csv"
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/users/roster"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/view"
)

// result is the machine-readable form.
type result struct {
	APIVersion string           `json:"apiVersion"`
	Kind       string           `json:"kind"`
	Items      []roster.Outcome `json:"items"`
	Unchanged  int              `json:"unchanged"`
}

// planned is what would become of everybody.
func planned(plan *roster.Plan) []roster.Outcome {
	var all []roster.Outcome
	for i := range plan.Changes {
		c := &plan.Changes[i]
		all = append(all, roster.Outcome{Email: c.Email, Profile: c.Name(), Change: c.Text()})
	}
	for _, u := range plan.Pruned {
		all = append(all, roster.Outcome{Email: u.Email, Profile: u.Profile, Change: "password removed"})
	}
	return all
}

// pruned is what is taken from people, a line for each.
func pruned(plan *roster.Plan) []string {
	var lines []string
	for _, u := range plan.Pruned {
		lines = append(lines, u.Email+": password")
	}
	for i := range plan.Changes {
		for _, with := range plan.Changes[i].Unshare {
			lines = append(lines, fmt.Sprintf("%s: role %s in namespace %s", with.Email, with.Role, plan.Changes[i].Name()))
		}
	}
	return lines
}

// print says what was or would be changed: + for who is new, ~ for who is changed, - for
// who loses the password, ! for who failed.
func (o *UserApplyOptions) print(plan *roster.Plan, all []roster.Outcome) error {
	if o.Format != "" {
		if all == nil {
			all = []roster.Outcome{}
		}
		return view.Document(o.base.Out, o.Format, result{report.APIVersion, "UserApplyResult", all, plan.Unchanged})
	}
	for i, one := range all {
		sign := "~"
		switch {
		case one.Error != "":
			sign = "!"
		case i >= len(plan.Changes):
			sign = "-"
		case plan.Changes[i].New:
			sign = "+"
		}
		if _, err := fmt.Fprintf(o.base.Out, "%s %s: %s\n", sign, one.Email, one.Change); err != nil {
			return err
		}
	}
	if o.Diff {
		fmt.Fprintf(o.base.ErrOut, "%s would change, %d unchanged.\n", report.Count(len(all), "user"), plan.Unchanged)
	}
	return nil
}

// passwordsFile is where generated passwords go.
type passwordsFile struct {
	name    string
	all     []roster.Credential
	written int
}

// write creates the file. One that is there is not touched: it may be the only place of
// other passwords.
func (f *passwordsFile) write(all []roster.Credential) error {
	f.all = all
	return f.save(os.O_CREATE | os.O_EXCL)
}

func (f *passwordsFile) save(flags int) (err error) {
	file, err := os.OpenFile(f.name, os.O_WRONLY|flags, 0o600)
	if errors.Is(err, os.ErrExist) {
		return fmt.Errorf("--passwords-file: %s exists and may be the only place of other passwords: name a new file", f.name)
	}
	if err != nil {
		return fmt.Errorf("--passwords-file: %w", err)
	}
	defer func() {
		if closed := file.Close(); err == nil {
			err = closed
		}
	}()
	rows := [][]string{{"email", "password"}}
	for _, c := range f.all {
		rows = append(rows, []string{c.Email, c.Password})
	}
	w := csv.NewWriter(file)
	if err := w.WriteAll(rows); err != nil {
		return fmt.Errorf("--passwords-file: %w", err)
	}
	f.written = len(f.all)
	return file.Sync()
}

// keepOnly takes out again what did not become anybody's password.
func (f *passwordsFile) keepOnly(outcomes []roster.Outcome) error {
	before := len(f.all)
	f.all = slices.DeleteFunc(f.all, func(c roster.Credential) bool {
		return !slices.ContainsFunc(outcomes, func(o roster.Outcome) bool { return o.Email == c.Email && !o.Unset })
	})
	if f.written == 0 || len(f.all) == before {
		return nil
	}
	return f.save(os.O_TRUNC)
}
