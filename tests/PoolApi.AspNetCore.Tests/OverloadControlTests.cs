using Microsoft.Extensions.Time.Testing;
using PoolApi.AspNetCore.Overload;

namespace PoolApi.AspNetCore.Tests;

/// <summary>What is let in under overload follows from what clients are seen to do, and from nothing else.</summary>
public sealed class OverloadControlTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(2);

    private readonly TimerCount _time = new();
    private readonly OverloadControl _control;
    private TimeSpan _wait;
    private bool _newestFirst;

    public OverloadControlTests() => _control = new OverloadControl(() => _wait, new OrderArbiter(on => _newestFirst = on).Join(), _time);

    [Fact]
    public void While_nobody_leaves_nothing_is_refused_however_long_the_queue_is()
    {
        _wait = TimeSpan.FromHours(1);
        for (int i = 0; i < 100; i++) _control.OnTaken(TimeSpan.FromSeconds(20));

        Assert.False(_control.ShouldRefuse());
        Assert.Null(_control.Patience);
        Assert.False(_newestFirst);
    }

    [Fact]
    public void Once_clients_leave_who_waited_as_long_as_others_what_would_wait_a_quarter_as_long_is_refused()
    {
        Learn();

        Assert.Equal(Patience, _control.Patience);
        _wait = TimeSpan.FromSeconds(0.51);
        Assert.True(_control.ShouldRefuse());
        _wait = TimeSpan.FromSeconds(0.49);
        Assert.False(_control.ShouldRefuse());
    }

    [Fact]
    public void One_who_leaves_alone_has_reasons_of_his_own()
    {
        _control.OnTaken(Patience);
        for (int i = 0; i < 3; i++) _control.OnClientLeft(Patience, Patience);

        Assert.Null(_control.Patience);
    }

    [Fact]
    public void A_few_of_many_prove_nothing()
    {
        for (int i = 0; i < 100; i++) _control.OnTaken(Patience);
        for (int i = 0; i < 9; i++) _control.OnClientLeft(Patience, Patience);

        Assert.Null(_control.Patience);
        _control.OnClientLeft(Patience, Patience);
        Assert.NotNull(_control.Patience);
    }

    [Fact]
    public void Who_leaves_while_nobody_is_served_was_not_driven_away_by_the_queue()
    {
        // The workers are stuck: the last item was taken long ago, and had not waited.
        _control.OnTaken(TimeSpan.FromMilliseconds(30));
        _time.Advance(TimeSpan.FromSeconds(10));
        for (int i = 0; i < 100; i++) _control.OnClientLeft(Patience, Patience);

        Assert.Null(_control.Patience);
    }

    [Fact]
    public void Who_leaves_during_long_work_of_his_own_was_not_driven_away_by_the_queue()
    {
        _control.OnTaken(Patience);
        for (int i = 0; i < 100; i++) _control.OnClientLeft(after: TimeSpan.FromSeconds(10), waited: TimeSpan.FromSeconds(1));

        Assert.Null(_control.Patience);
    }

    [Fact]
    public void The_newest_come_first_until_those_who_waited_at_the_beginning_are_gone()
    {
        Learn();
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
    public void While_the_newest_come_first_one_more_is_let_in_when_the_workers_come_upon_old_ones()
    {
        Learn();
        _wait = TimeSpan.FromSeconds(5);
        _control.OnTaken(TimeSpan.FromSeconds(0.4));
        Assert.True(_control.ShouldRefuse());
        _control.OnTaken(TimeSpan.FromSeconds(0.6));
        Assert.False(_control.ShouldRefuse());
        _control.OnTaken(TimeSpan.Zero);
        Assert.True(_control.ShouldRefuse());
    }

    [Fact]
    public void The_order_comes_back_by_the_workers_alone_when_no_request_comes_any_more()
    {
        Learn();
        _wait = TimeSpan.FromSeconds(5);
        _control.ShouldRefuse();
        _wait = TimeSpan.Zero;
        _time.Advance(Patience);

        _control.OnTaken(TimeSpan.FromSeconds(1));

        Assert.False(_newestFirst);
    }

    [Fact]
    public void The_order_comes_back_by_time_alone_when_the_endpoint_is_not_used_any_more()
    {
        Learn();
        Assert.Equal(0, _time.Timers);
        _wait = TimeSpan.FromSeconds(5);
        _control.ShouldRefuse();
        Assert.Equal((true, 1), (_newestFirst, _time.Timers));

        _wait = TimeSpan.FromSeconds(1); // too long, until what was learned is forgotten
        for (int i = 0; i < 55; i++) _time.Advance(TimeSpan.FromSeconds(1));
        Assert.True(_newestFirst);
        for (int i = 0; i < 10; i++) _time.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal((false, 0), (_newestFirst, _time.Timers));

        Learn();
        _wait = TimeSpan.FromSeconds(5);
        _control.ShouldRefuse();
        Assert.True(_newestFirst);
        _wait = TimeSpan.Zero;
        for (int i = 0; i < 2; i++) _time.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal((false, 0), (_newestFirst, _time.Timers));
    }

    [Fact]
    public void What_was_learned_is_doubted_with_time_and_forgotten_when_it_is_not_needed()
    {
        Learn();
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
    public void One_who_leaves_now_and_then_keeps_nothing_alive()
    {
        Learn();
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
    public void What_limits_nothing_any_more_is_forgotten_even_while_it_is_asked_for()
    {
        Learn();
        _wait = TimeSpan.FromHours(1);
        for (int i = 0; i < 7; i++)
        {
            Assert.True(_control.ShouldRefuse());
            _time.Advance(TimeSpan.FromSeconds(31));
        }

        Assert.False(_control.ShouldRefuse());
        Assert.False(_newestFirst);
    }

    [Fact]
    public void What_was_learned_from_a_handful_of_clients_fades_within_seconds_while_the_others_are_served()
    {
        Learn(witnesses: 8);
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
    public void The_clients_of_one_endpoint_that_leave_refuse_nobody_of_another_and_the_oldest_of_those_that_stay_come_first()
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

    /// <summary>A clock that counts its timers.</summary>
    private sealed class TimerCount : FakeTimeProvider
    {
        public int Timers { get; private set; }

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
        {
            Timers++;
            return new Counted(this, base.CreateTimer(callback, state, dueTime, period));
        }

        private sealed class Counted(TimerCount all, ITimer timer) : ITimer
        {
            public bool Change(TimeSpan dueTime, TimeSpan period) => timer.Change(dueTime, period);

            public void Dispose()
            {
                all.Timers--;
                timer.Dispose();
            }

            public ValueTask DisposeAsync() => timer.DisposeAsync();
        }
    }

    private void Learn(int witnesses = 400)
    {
        for (int i = 0; i < 20; i++) _control.OnTaken(Patience);
        for (int i = 0; i < witnesses; i++) _control.OnClientLeft(Patience, Patience);
        _control.OnTaken(TimeSpan.FromSeconds(0.1));
    }
}
