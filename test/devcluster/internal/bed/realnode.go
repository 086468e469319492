package bed

import (
	"context"
	"errors"
	"io"
)

// startRealNode starts the real node of a bed.
func (r *runner) startRealNode(context.Context) (stop func(), err error) {
	return nil, errors.New("--nodes real: this build has no real node")
}

// cleanUpNode removes what a killed bed's real node left outside of its directory.
func (d Dir) cleanUpNode(context.Context, io.Writer) error { return nil }
