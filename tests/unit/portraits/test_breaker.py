"""The circuit breaker."""

from __future__ import annotations

import pytest

from model_server.portraits.breaker import CircuitBreaker


class Clock:
    def __init__(self):
        self.time = 1000.0

    def __call__(self):
        return self.time


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def breaker(clock):
    return CircuitBreaker(max_failures=3, cool_down_s=60, clock=clock)


def test_it_opens_after_failures_in_a_row(breaker):
    """The third failure is enough."""
    for _ in range(3):
        assert breaker.allows()
        breaker.failed()
    assert not breaker.allows()


def test_a_success_between_starts_the_count_anew(breaker):
    """Only failures in a row count."""
    breaker.failed()
    breaker.failed()
    breaker.succeeded()
    breaker.failed()
    breaker.failed()
    assert breaker.allows()


def test_one_call_tries_it_out_after_the_cool_down(breaker, clock):
    """While that call is under way, no other is let through."""
    for _ in range(3):
        breaker.failed()
    clock.time += 60
    assert breaker.allows()
    assert not breaker.allows()
    breaker.succeeded()
    assert breaker.allows()
    assert breaker.allows()


def test_a_failed_trial_opens_it_again(breaker, clock):
    """Each trial costs another cool-down."""
    for _ in range(3):
        breaker.failed()
    clock.time += 60
    assert breaker.allows()
    breaker.failed()
    clock.time += 59
    assert not breaker.allows()
    clock.time += 1
    assert breaker.allows()


def test_a_trial_that_never_reports_does_not_block_forever(breaker, clock):
    """A cancelled call leaves the breaker open for one more cool-down only."""
    for _ in range(3):
        breaker.failed()
    clock.time += 60
    assert breaker.allows()
    clock.time += 60
    assert breaker.allows()


def test_a_provider_that_asks_for_a_pause_gets_it_at_once(breaker, clock):
    """Retry-After opens it at the first failure, for so long."""
    breaker.failed(retry_after_s=600)
    clock.time += 599
    assert not breaker.allows()
    clock.time += 1
    assert breaker.allows()
