package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// The targets of the figure about people.
const (
	peopleID       = "h"
	classSize      = 500
	classRate      = 10 // people a second
	companySize    = 2000
	companyTarget  = 500 * time.Millisecond
	companyListing = 10
)

// people is figure h: a class is added, and a company is listed.
func (b *bench) people(ctx context.Context) (*figure, error) {
	var class, company timed
	var again, plain, wide []sample
	err := b.withBed(ctx, 0, func(c *bed) (err error) {
		if _, err := c.jupyter(ctx, "install", "--timeout=5m"); err != nil {
			return err
		}
		if _, err := c.settled(ctx); err != nil {
			return err
		}
		if class, err = c.addPeople(ctx, classSize); err != nil {
			return err
		}
		if company, err = c.addPeople(ctx, companySize); err != nil {
			return err
		}
		if _, err := c.settled(ctx); err != nil {
			return err
		}
		for range companyListing {
			for _, one := range []struct {
				args []string
				into *[]sample
			}{{[]string{"user", "list"}, &plain}, {[]string{"user", "list", "-o", "wide"}, &wide}} {
				t, err := c.jupyter(ctx, one.args...)
				if err != nil {
					return err
				}
				if n := strings.Count(t.stdout, "@example.com "); n < companySize {
					return fmt.Errorf("%s lists %d people of %d", strings.Join(one.args, " "), n, companySize)
				}
				*one.into = append(*one.into, t.sample)
			}
		}
		t, err := c.addPeople(ctx, companySize)
		again = append(again, t.sample)
		return err
	})
	if err != nil {
		return nil, err
	}
	wallOfSample := func(s sample) time.Duration { return s.wall }
	rate := func(n int, t timed) float64 { return float64(n) / t.wall.Seconds() }
	listed := median(of(plain, wallOfSample))
	f := &figure{title: "users of a list, and the list of users", checks: []check{
		{what: fmt.Sprintf("at least %d people a second, with passwords, quotas and namespaces", classRate), met: rate(classSize, class) >= classRate, value: fmt.Sprintf("%d in %s: %.1f a second", classSize, seconds(class.wall), rate(classSize, class))},
		{what: fmt.Sprintf("user list of %d people in at most %s", companySize, millis(companyTarget)), met: listed <= companyTarget, value: millis(listed)},
	}}
	f.table = [][]string{
		{"what", "runs", "median", "fastest", "slowest", "CPU", "peak memory"},
		shortRow(fmt.Sprintf("user apply, %d new people", classSize), []sample{class.sample}),
		shortRow(fmt.Sprintf("user apply, %d new people beside them", companySize-classSize), []sample{company.sample}),
		shortRow(fmt.Sprintf("user apply, %d people and nothing to change", companySize), again),
		shortRow(fmt.Sprintf("user list, %d people", companySize), plain),
		shortRow(fmt.Sprintf("user list -o wide, %d people", companySize), wide),
	}
	f.notes = append(f.notes,
		fmt.Sprintf("The namespaces are made by a stand-in for Kubeflow's profile controller; the time of user apply includes the wait for them, and the rate of the %d people who were added later is %.1f a second.",
			companySize-classSize, rate(companySize-classSize, company)),
		shareNote([]timed{class}))
	return f, nil
}

// addPeople applies a list of the first n people of a company, and throws their passwords
// away.
func (b *bed) addPeople(ctx context.Context, n int) (timed, error) {
	dir, err := os.MkdirTemp("", "people-")
	if err != nil {
		return timed{}, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	var list strings.Builder
	list.WriteString("email,cpu,memory,gpu\n")
	for i := range n {
		fmt.Fprintf(&list, "student%d@example.com,4,16Gi,1\n", i)
	}
	file := filepath.Join(dir, "people.csv")
	if err := os.WriteFile(file, []byte(list.String()), 0o600); err != nil {
		return timed{}, err
	}
	return b.jupyter(ctx, "user", "apply", "-f", file, "--passwords-file", filepath.Join(dir, "passwords.csv"))
}
