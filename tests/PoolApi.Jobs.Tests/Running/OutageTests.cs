using Microsoft.Extensions.Time.Testing;
using PoolApi.Jobs.Running;
using static PoolApi.TestKit.Patience;

namespace PoolApi.Jobs.Tests.Running;

/// <summary>After an outage of the store that is longer than a lease, live instances keep their jobs, and dead ones lose theirs.</summary>
public sealed class OutageTests
{
    private static readonly TimeSpan Outage = TimeSpan.FromSeconds(40);

    private static readonly TimeSpan Second = TimeSpan.FromSeconds(1);

    /// <summary>The lease that the store grants: see <see cref="JobOptions.Lease"/>.</summary>
    private static readonly TimeSpan Granted = TimeSpan.FromSeconds(20);

    private static readonly JobOptions Options = Rig.Options with { Lease = TimeSpan.FromSeconds(30) };

    private readonly FakeTimeProvider _clock = new(Jobs.Now);
    private readonly InMemoryJobs _jobs = new();

    [Fact]
    public async Task After_an_outage_the_first_instance_back_does_not_take_the_jobs_of_others()
    {
        using Gate gate = new();
        await using Rig one = await StartAsync(gate), two = await StartAsync(gate);
        Job[] jobs = [await AcceptAsync(one), await AcceptAsync(two)];
        await gate.ArrivalAsync(2);
        await one.AsleepAsync();
        await two.AsleepAsync();

        Away first = new(one), second = new(two);
        for (TimeSpan passed = TimeSpan.Zero; passed < Outage; passed += Second) _clock.Advance(Second);
        await UntilAsync(() => first.Waits && second.Waits, "That both try to renew their leases");
        first.End();
        await UntilAsync(() => first.Rounds > 0, "That the first instance maintains the store again");
        await one.PassAsync(_clock, Granted / 2, Second);
        Job meanwhile = one.Look(jobs[1].Id);
        second.End();
        await UntilAsync(() => second.Rounds > 0, "That the second instance maintains the store again");
        for (TimeSpan passed = TimeSpan.Zero; passed < Granted * 3; passed += Second)
        {
            await one.PassAsync(_clock, Second, Second);
            await two.AsleepAsync();
        }

        Assert.Equal((JobState.Running, 1), (meanwhile.State, meanwhile.Attempt));
        Assert.All(jobs, job => Assert.Equal((JobState.Running, 1), (one.Look(job.Id).State, one.Look(job.Id).Attempt)));
        gate.Open();
        foreach (Job job in jobs) Assert.Equal(1, (await one.UntilAsync(job.Id, JobState.Succeeded)).Attempt);
        Assert.Equal(2, gate.Arrived);
    }

    [Fact]
    public async Task After_an_outage_the_jobs_of_a_dead_instance_run_after_others_had_time_to_renew()
    {
        await using InMemoryJobStore dying = new(_jobs, _clock);
        await dying.OpenAsync(Token);
        await using Rig rig = await StartAsync(null);
        await rig.QuietAsync();
        rig.Store.IsMute = true; // this instance must not claim the other one's job
        Job job = (await dying.AcceptAsync(Jobs.New(), Token)).Job;
        Assert.Single((await dying.ClaimAsync("dead", 1, Granted, Token)).Claims);
        rig.Store.IsMute = false;

        rig.Store.Fault = "away";
        DateTimeOffset end = _clock.GetUtcNow() + Outage;
        await UntilAsync(() => Passed() && _clock.GetUtcNow() >= end && rig.Dispatcher.StoreFault is not null, "The outage");
        DateTimeOffset back = _clock.GetUtcNow();
        rig.Store.Fault = null;
        await UntilAsync(() => Passed() && rig.Look(job.Id).State == JobState.Succeeded, "That the job is run");

        Job ran = rig.Look(job.Id);
        Assert.Equal((2, rig.Dispatcher.Owner), (ran.Attempt, ran.Worker));
        Assert.True(ran.Earlier.Single().EndedAt >= back + Granted, $"{ran.Earlier.Single()}, {back}");

        bool Passed()
        {
            _clock.Advance(Second / 2);
            return true;
        }
    }

    private Task<Rig> StartAsync(Gate? gate) => Rig.StartAsync(
        (_, token) => gate is null ? ScriptedExecutor.Success : gate.Pass(token), workers: 1, options: Options, jobs: _jobs, isShared: true, time: _clock);

    /// <summary>A job that this instance runs.</summary>
    private static async Task<Job> AcceptAsync(Rig rig)
    {
        await rig.QuietAsync();
        JobAcceptance acceptance = await rig.Dispatcher.AcceptAsync(Jobs.New(), isWaitedFor: false, Token);
        Assert.NotNull(acceptance.Claim);
        return acceptance.Job;
    }

    /// <summary>The time during which an instance gets no answer from its store.</summary>
    private sealed class Away
    {
        private readonly TaskCompletionSource _end = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private readonly InMemoryJobStore _store;
        private readonly int _renewals;
        private int _rounds;

        public Away(Rig rig)
        {
            _store = rig.Store;
            _renewals = _store.Calls("renew");
            _store.Before = _ => _end.Task;
            _store.After = operation =>
            {
                if (operation == "maintain") Interlocked.Increment(ref _rounds);
                return Task.CompletedTask;
            };
        }

        /// <summary>Whether the instance waits for the answer to a renewal.</summary>
        public bool Waits => _store.Calls("renew") > _renewals;

        /// <summary>How often the instance has maintained the store since.</summary>
        public int Rounds => Volatile.Read(ref _rounds);

        public void End() => _end.SetResult();
    }
}
