package notebook

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/view"
)

// Ask puts a question about one of several things, to which anything but yes means no.
// Where nobody can be asked, instead says what to give.
func Ask(ctx context.Context, b *plugin.Base, question, instead string) (bool, error) {
	if !view.IsTerminal(b.In) {
		return false, fmt.Errorf("confirmation is required, but standard input is not a terminal: use %s", instead)
	}
	fmt.Fprint(b.ErrOut, question+" [y/N] ")
	said, err := plugin.Answer(ctx, func() (string, error) { return bufio.NewReader(b.In).ReadString('\n') })
	switch {
	case ctx.Err() != nil:
		fmt.Fprintln(b.ErrOut)
		return false, ctx.Err()
	case err != nil && said == "":
		fmt.Fprintln(b.ErrOut)
		return false, errors.New("no answer")
	}
	a := strings.ToLower(strings.TrimSpace(said))
	return a == "y" || a == "yes", nil
}
