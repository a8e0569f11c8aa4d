using Microsoft.Extensions.Time.Testing;
using PoolApi.AspNetCore.Overload;

namespace PoolApi.AspNetCore.Tests.Overload;

/// <summary>Overload control refuses requests only after it has observed that clients disconnect after long waits.</summary>
public sealed class OverloadControlTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(2);

    private readonly FakeTimeProvider _time = new();
    private readonly TimerRecorder _timers;
    private readonly OverloadControl _control;
    private TimeSpan _wait;
    private bool _newestFirst;

    public OverloadControlTests()
    {
        _timers = new TimerRecorder(_time);
        _control = new OverloadControl(() => _wait, new OrderArbiter(on => _newestFirst = on).Join(), _timers);
    }

    [Fact]
    public void A_long_queue_alone_refuses_no_request_while_no_client_disconnects()
    {
        _wait = TimeSpan.FromHours(1);
        for (int i = 0; i < 100; i++) _control.OnTaken(TimeSpan.FromSeconds(20));

        Assert.False(_control.ShouldRefuse());
        Assert.Null(_control.Patience);
        Assert.False(_newestFirst);
    }

    [Fact]
    public void A_request_with_a_predicted_wait_over_a_quarter_of_the_patience_is_refused()
    {
        EstimatePatience();

        Assert.Equal(Patience, _control.Patience);
        _wait = TimeSpan.FromSeconds(0.51);
        Assert.True(_control.ShouldRefuse());
        _wait = TimeSpan.FromSeconds(0.49);
        Assert.False(_control.ShouldRefuse());
    }

    [Fact]
    public void Three_disconnects_are_too_few_to_estimate_a_patience()
    {
        _control.OnTaken(Patience);
        for (int i = 0; i < 3; i++) _control.OnClientLeft(Patience, Patience);

        Assert.Null(_control.Patience);
    }

    [Fact]
    public void A_patience_is_estimated_only_at_one_disconnect_or_more_per_ten_served_requests()
    {
        for (int i = 0; i < 100; i++) _control.OnTaken(Patience);
        for (int i = 0; i < 9; i++) _control.OnClientLeft(Patience, Patience);

        Assert.Null(_control.Patience);
        _control.OnClientLeft(Patience, Patience);
        Assert.NotNull(_control.Patience);
    }

    [Fact]
    public void Clients_that_disconnect_while_the_workers_are_stuck_teach_no_patience()
    {
        // The workers are stuck: the last item was taken long ago, after a short wait.
        _control.OnTaken(TimeSpan.FromMilliseconds(30));
        _time.Advance(TimeSpan.FromSeconds(10));
        for (int i = 0; i < 100; i++) _control.OnClientLeft(Patience, Patience);

        Assert.Null(_control.Patience);
    }

    [Fact]
    public void Clients_that_disconnect_during_their_own_long_work_teach_no_patience()
    {
        _control.OnTaken(Patience);
        for (int i = 0; i < 100; i++) _control.OnClientLeft(after: TimeSpan.FromSeconds(10), waited: TimeSpan.FromSeconds(1));

        Assert.Null(_control.Patience);
    }

    [Fact]
    public void The_order_stays_newest_first_until_the_patience_has_passed()
    {
        EstimatePatience();
        _wait = TimeSpan.FromSeconds(5);
        _control.ShouldRefuse();
        Assert.True(_newestFirst);

        _wait = TimeSpan.FromSeconds(0.25);
        _time.Advance(Patience - TimeSpan.FromMilliseconds(1));
        _control.ShouldRefuse();
        Assert.True(_newestFirst);

        _time.Advance(TimeSpan.FromMilliseconds(1));
        _control.ShouldRefuse();
        Assert.False(_newestFirst);
    }

    [Fact]
    public void In_newest_first_order_a_request_is_admitted_after_a_worker_takes_one_that_waited_long()
    {
        EstimatePatience();
        _wait = TimeSpan.FromSeconds(5);
        _control.OnTaken(TimeSpan.FromSeconds(0.4));
        Assert.True(_control.ShouldRefuse());
        _control.OnTaken(TimeSpan.FromSeconds(0.6));
        Assert.False(_control.ShouldRefuse());
        _control.OnTaken(TimeSpan.Zero);
        Assert.True(_control.ShouldRefuse());
    }

    [Fact]
    public void A_worker_that_takes_an_item_restores_the_oldest_first_order_without_a_new_request()
    {
        EstimatePatience();
        _wait = TimeSpan.FromSeconds(5);
        _control.ShouldRefuse();
        _wait = TimeSpan.Zero;
        _time.Advance(Patience);

        _control.OnTaken(TimeSpan.FromSeconds(1));

        Assert.False(_newestFirst);
    }

    [Fact]
    public void A_timer_restores_the_oldest_first_order_when_the_endpoint_is_no_longer_used()
    {
        EstimatePatience();
        Assert.Equal(0, _timers.Open);
        _wait = TimeSpan.FromSeconds(5);
        _control.ShouldRefuse();
        Assert.Equal((true, 1), (_newestFirst, _timers.Open));

        _wait = TimeSpan.FromSeconds(1); // too long, until the patience is discarded
        for (int i = 0; i < 55; i++) _time.Advance(TimeSpan.FromSeconds(1));
        Assert.True(_newestFirst);
        for (int i = 0; i < 10; i++) _time.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal((false, 0), (_newestFirst, _timers.Open));

        EstimatePatience();
        _wait = TimeSpan.FromSeconds(5);
        _control.ShouldRefuse();
        Assert.True(_newestFirst);
        _wait = TimeSpan.Zero;
        for (int i = 0; i < 2; i++) _time.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal((false, 0), (_newestFirst, _timers.Open));
    }

    [Fact]
    public void The_patience_rises_when_the_estimate_expires_and_is_discarded_after_a_minute_without_refusals()
    {
        EstimatePatience();
        _wait = TimeSpan.FromSeconds(0.51);
        Assert.True(_control.ShouldRefuse());
        _time.Advance(TimeSpan.FromSeconds(31));
        Assert.False(_control.ShouldRefuse());
        Assert.Equal(TimeSpan.FromSeconds(2.5), _control.Patience);

        _time.Advance(TimeSpan.FromSeconds(61));
        _wait = TimeSpan.FromHours(1);
        Assert.False(_control.ShouldRefuse());
        Assert.Null(_control.Patience);
    }

    [Fact]
    public void An_occasional_disconnect_does_not_keep_the_patience_from_being_discarded()
    {
        EstimatePatience();
        for (int i = 0; i < 2 * 60 * 60 / 25; i++)
        {
            _time.Advance(TimeSpan.FromSeconds(25));
            _control.OnTaken(TimeSpan.FromMilliseconds(25));
            _control.OnClientLeft(TimeSpan.FromMilliseconds(25), TimeSpan.FromMilliseconds(25));
            Assert.False(_control.ShouldRefuse());
        }

        Assert.Null(_control.Patience);
    }

    [Fact]
    public void The_patience_is_discarded_after_seven_expiries_even_while_it_refuses_requests()
    {
        EstimatePatience();
        _wait = TimeSpan.FromHours(1);
        // 30 s, 15 s, 7.5 s, 3.75 s, 1.9 s, 0.9 s and 0.5 s
        for (int second = 0; second < 60; second++)
        {
            Assert.True(_control.ShouldRefuse());
            _time.Advance(TimeSpan.FromSeconds(1));
        }

        Assert.False(_control.ShouldRefuse());
        Assert.False(_newestFirst);
    }

    [Fact]
    public void A_patience_estimated_from_eight_clients_is_discarded_within_seconds_also_if_no_request_comes()
    {
        EstimatePatience(clients: 8);
        _wait = TimeSpan.FromHours(1);
        Assert.True(_control.ShouldRefuse());

        _time.Advance(TimeSpan.FromSeconds(5));

        Assert.False(_control.ShouldRefuse());
        Assert.Equal((null, false), (_control.Patience, _newestFirst));
    }

    [Fact]
    public void A_patience_estimated_from_eight_clients_is_discarded_within_seconds_while_others_are_served()
    {
        EstimatePatience(clients: 8);
        _wait = TimeSpan.FromHours(1);
        Assert.True(_control.ShouldRefuse());
        for (int i = 0; i < 50; i++)
        {
            _time.Advance(TimeSpan.FromSeconds(0.1));
            _control.OnTaken(TimeSpan.FromSeconds(0.2));
        }

        Assert.False(_control.ShouldRefuse());
        Assert.Null(_control.Patience);
    }

    [Fact]
    public void Disconnects_at_one_endpoint_refuse_no_request_at_another_whose_waiting_clients_restore_oldest_first()
    {
        var arbiter = new OrderArbiter(on => _newestFirst = on);
        var impatient = new OverloadControl(() => _wait, arbiter.Join(), _time);
        var patient = new OverloadControl(() => _wait, arbiter.Join(), _time);
        for (int i = 0; i < 20; i++) impatient.OnTaken(Patience);
        for (int i = 0; i < 100; i++) impatient.OnClientLeft(Patience, Patience);
        impatient.OnTaken(TimeSpan.FromSeconds(0.1));
        _wait = TimeSpan.FromSeconds(5);

        Assert.True(impatient.ShouldRefuse());
        Assert.False(patient.ShouldRefuse());
        Assert.True(_newestFirst);

        patient.OnTaken(TimeSpan.FromSeconds(1));
        Assert.False(_newestFirst);
    }

    /// <summary>The workers take requests that have waited long. With newest-first that would mean that no newer one is queued.</summary>
    [Fact]
    public void An_endpoint_whose_vote_is_overruled_refuses_requests_by_their_predicted_wait()
    {
        var arbiter = new OrderArbiter(on => _newestFirst = on);
        var impatient = new OverloadControl(() => _wait, arbiter.Join(), _time);
        for (int i = 0; i < 20; i++) impatient.OnTaken(Patience);
        for (int i = 0; i < 100; i++) impatient.OnClientLeft(Patience, Patience);
        _wait = TimeSpan.FromSeconds(5);
        impatient.OnTaken(TimeSpan.FromSeconds(1));
        Assert.True(_newestFirst);
        Assert.False(impatient.ShouldRefuse());

        arbiter.Join().ForOldestFirst();

        Assert.False(_newestFirst);
        Assert.True(impatient.ShouldRefuse());
    }

    [Fact]
    public void A_withdrawn_vote_does_not_restore_newest_first_by_a_vote_that_was_overruled()
    {
        var arbiter = new OrderArbiter(on => _newestFirst = on);
        OrderArbiter.EndpointVote first = arbiter.Join(), second = arbiter.Join(), patient = arbiter.Join();
        first.Set(true);
        second.Set(true);
        patient.ForOldestFirst();
        Assert.False(_newestFirst);

        second.Set(false);
        Assert.False(_newestFirst);
        second.Set(true);
        Assert.True(_newestFirst);
        second.Set(false);
        Assert.False(_newestFirst);

        // A vote that is cast again counts again.
        first.Set(false);
        first.Set(true);
        Assert.True(_newestFirst);
        first.ForOldestFirst(); // its own vote is not overruled
        Assert.True(_newestFirst);
        first.Set(false);
        Assert.False(_newestFirst);
    }

    private void EstimatePatience(int clients = 400)
    {
        for (int i = 0; i < 20; i++) _control.OnTaken(Patience);
        for (int i = 0; i < clients; i++) _control.OnClientLeft(Patience, Patience);
        _control.OnTaken(TimeSpan.FromSeconds(0.1));
    }
}
