package rollout

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
)

func TestSlotsLetTheUrgentGoFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSlots(1, 1)
		give, err := s.take(t.Context(), urgentRest)
		if err != nil {
			t.Fatal(err)
		}
		var order []int
		for _, u := range []int{urgentDefinition, urgentRest, urgentWorkload, urgentNamespace, urgentWorkload} {
			go func() {
				give, err := s.take(t.Context(), u)
				if err != nil {
					t.Error(err)
					return
				}
				order = append(order, u) // one slot: one at a time
				give()
			}()
			synctest.Wait()
		}
		give()
		synctest.Wait()
		if want := []int{urgentNamespace, urgentWorkload, urgentWorkload, urgentRest, urgentDefinition}; !slices.Equal(order, want) {
			t.Errorf("order %v, want %v", order, want)
		}
	})
}

func TestSlotsBoundDefinitionsAmongThemselves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSlots(4, 2)
		admitted := 0
		for range 3 {
			go func() {
				if _, err := s.take(t.Context(), urgentDefinition); err == nil {
					admitted++
				}
			}()
			synctest.Wait()
		}
		if admitted != 2 {
			t.Errorf("%d definitions at once, want 2", admitted)
		}
		if _, err := s.take(t.Context(), urgentRest); err != nil {
			t.Errorf("a definition that waits holds up others: %v", err)
		}
	})
}

func TestASlotIsNotLostWhenItsTakerGivesUp(t *testing.T) {
	s := newSlots(1, 1)
	give, err := s.take(t.Context(), urgentRest)
	if err != nil {
		t.Fatal(err)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.take(gone, urgentNamespace); !errors.Is(err, context.Canceled) {
		t.Errorf("take = %v, want a cancelled context", err)
	}
	give()
	if _, err := s.take(t.Context(), urgentRest); err != nil {
		t.Errorf("the slot is lost: %v", err)
	}
}
