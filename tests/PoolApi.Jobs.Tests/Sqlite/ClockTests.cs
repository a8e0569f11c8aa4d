using PoolApi.Jobs.Sqlite;
using static PoolApi.TestKit.Patience;

namespace PoolApi.Jobs.Tests.Sqlite;

/// <summary>The machine's clock is set back and forth while the SQLite store is open, and between two openings.</summary>
public sealed class ClockTests : IDisposable
{
    private static readonly MaintenanceRules Rules = new(TimeSpan.FromDays(1), 3);
    private readonly StorePlace _place = new();
    private readonly JumpingClock _clock = new();

    public void Dispose() => _place.Dispose();

    public static TheoryData<int, bool> Jumps
    {
        get
        {
            var jumps = new TheoryData<int, bool>();
            foreach (int minutes in new[] { -1440, -60, -1, 1, 60, 1440 })
            {
                jumps.Add(minutes, false);
                jumps.Add(minutes, true);
            }
            return jumps;
        }
    }

    [Theory]
    [MemberData(nameof(Jumps))]
    public async Task A_job_due_at_once_can_be_claimed_after_any_clock_change(int minutes, bool restart)
    {
        await using Rig rig = await OpenAsync();
        Guid first = (await rig.Store.AcceptAsync(Jobs.New(), Token)).Job.Id;

        await rig.JumpAsync(minutes, restart);

        Guid second = (await rig.Store.AcceptAsync(Jobs.New(), Token)).Job.Id;
        Assert.Equal([first, second], (await rig.Store.ClaimAsync("me", 9, Jobs.LongLease, Token)).Claims.Select(static c => c.Job.Id));
    }

    [Theory]
    [MemberData(nameof(Jumps))]
    public async Task A_pause_before_a_retry_keeps_its_length_after_a_clock_change(int minutes, bool restart)
    {
        await using Rig rig = await OpenAsync();
        await rig.Store.AcceptAsync(Jobs.New(maxAttempts: 2), Token);
        JobClaim claim = Assert.Single((await rig.Store.ClaimAsync("me", 1, Jobs.LongLease, Token)).Claims);
        await rig.Store.FinishAsync(claim, new JobEnd(JobState.Queued, RetryAfter: TimeSpan.FromMinutes(4)), Token);

        await rig.JumpAsync(minutes, restart);

        _clock.Pass(TimeSpan.FromMinutes(3));
        Assert.Equal(TimeSpan.FromMinutes(1), (await rig.Store.ClaimAsync("me", 1, Jobs.LongLease, Token)).NextDue);
        _clock.Pass(TimeSpan.FromMinutes(1));
        Assert.Single((await rig.Store.ClaimAsync("me", 1, Jobs.LongLease, Token)).Claims);
    }

    [Theory]
    [MemberData(nameof(Jumps))]
    public async Task A_timeout_keeps_its_length_after_a_clock_change(int minutes, bool restart)
    {
        await using Rig rig = await OpenAsync();
        Guid late = (await rig.Store.AcceptAsync(Jobs.New(timeout: TimeSpan.FromMinutes(4)), Token)).Job.Id;
        await rig.Store.AcceptAsync(Jobs.New(timeout: TimeSpan.FromMinutes(10)), Token);

        await rig.JumpAsync(minutes, restart);

        _clock.Pass(TimeSpan.FromMinutes(3));
        Assert.Equal(0, (await rig.Store.MaintainAsync(Rules, Token)).Expired);
        _clock.Pass(TimeSpan.FromMinutes(1));
        Assert.Equal(1, (await rig.Store.MaintainAsync(Rules, Token)).Expired);
        Assert.Equal(JobState.Expired, (await rig.Store.GetAsync(late, Token))!.State);
        JobClaim claim = Assert.Single((await rig.Store.ClaimAsync("me", 9, Jobs.LongLease, Token)).Claims);
        Assert.Equal(TimeSpan.FromMinutes(6), claim.TimeLeft);
    }

    [Theory]
    [InlineData(-60)]
    [InlineData(60)]
    [InlineData(1440)]
    public async Task Leases_and_the_retention_keep_their_length_after_a_clock_change(int minutes)
    {
        await using Rig rig = await OpenAsync();
        Guid done = (await rig.Store.AcceptAsync(Jobs.New(), Token)).Job.Id;
        await rig.Store.FinishAsync((await rig.Store.ClaimAsync("me", 1, Jobs.LongLease, Token)).Claims[0], Jobs.Success(), Token);
        await rig.Store.AcceptAsync(Jobs.New(), Token);
        await rig.Store.ClaimAsync("me", 1, TimeSpan.FromMinutes(4), Token);

        await rig.JumpAsync(minutes, restart: false);

        _clock.Pass(TimeSpan.FromMinutes(3));
        MaintenanceReport report = await rig.Store.MaintainAsync(Rules, Token);
        Assert.Equal((0, 0), (report.Redelivered.Count, report.Swept));
        _clock.Pass(TimeSpan.FromMinutes(1));
        Assert.Single((await rig.Store.MaintainAsync(Rules, Token)).Redelivered);
        _clock.Pass(TimeSpan.FromDays(1));
        Assert.Equal(1, (await rig.Store.MaintainAsync(Rules, Token)).Swept);
        Assert.True((await rig.Store.GetResultAsync(done, Token))!.IsSwept);
    }

    [Fact]
    public async Task A_scheduled_time_follows_a_clock_change()
    {
        await using Rig rig = await OpenAsync();
        await rig.Store.AcceptAsync(Jobs.New(runAt: _clock.GetUtcNow() + TimeSpan.FromHours(1), timeout: TimeSpan.FromMinutes(4)), Token);

        await rig.JumpAsync(-60, restart: false);
        Assert.Equal(TimeSpan.FromHours(2), (await rig.Store.ClaimAsync("me", 1, Jobs.LongLease, Token)).NextDue);
        await rig.JumpAsync(120, restart: true);

        Assert.Equal(TimeSpan.FromMinutes(4), Assert.Single((await rig.Store.ClaimAsync("me", 1, Jobs.LongLease, Token)).Claims).TimeLeft);
    }

    [Theory]
    [InlineData(-60)]
    [InlineData(60)]
    public async Task After_a_reboot_and_a_clock_change_no_job_waits_longer_than_planned(int minutes)
    {
        await using Rig rig = await OpenAsync();
        _clock.Pass(TimeSpan.FromHours(3));
        await rig.Store.AcceptAsync(Jobs.New("paused", maxAttempts: 2, priority: PoolApi.Threading.WorkPriority.High), Token);
        await rig.Store.AcceptAsync(Jobs.New("at once"), Token);
        JobClaim claim = Assert.Single((await rig.Store.ClaimAsync("me", 1, Jobs.LongLease, Token)).Claims);
        await rig.Store.FinishAsync(claim, new JobEnd(JobState.Queued, RetryAfter: TimeSpan.FromMinutes(4)), Token);

        _clock.StartAnew();
        await rig.JumpAsync(minutes, restart: true);

        Assert.Contains("at once", (await rig.Store.ClaimAsync("me", 9, Jobs.LongLease, Token)).Claims.Select(static c => c.Job.Kind));
        _clock.Pass(TimeSpan.FromMinutes(4));
        await rig.Store.ClaimAsync("me", 9, Jobs.LongLease, Token);
        Assert.Equal(2, (await rig.Store.CountAsync(Token))[JobState.Running]);
    }

    private async Task<Rig> OpenAsync() => new(_place, _clock, await _place.OpenAsync(time: _clock));

    private sealed class Rig(StorePlace place, JumpingClock clock, SqliteJobStore store) : IAsyncDisposable
    {
        public SqliteJobStore Store { get; private set; } = store;

        public async Task JumpAsync(int minutes, bool restart)
        {
            if (restart) await Store.DisposeAsync();
            clock.Set(TimeSpan.FromMinutes(minutes));
            if (restart) Store = await place.OpenAsync(time: clock);
        }

        public ValueTask DisposeAsync() => Store.DisposeAsync();
    }

    /// <summary>A wall clock that the test sets, and a monotonic clock that it does not set.</summary>
    private sealed class JumpingClock : TimeProvider
    {
        private TimeSpan _set;
        private TimeSpan _passed = TimeSpan.FromHours(1);

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public void Set(TimeSpan by) => _set += by;

        public void Pass(TimeSpan time) => _passed += time;

        /// <summary>Restarts the monotonic clock at zero, as a reboot does.</summary>
        public void StartAnew() => (_set, _passed) = (_set + _passed, TimeSpan.Zero);

        public override DateTimeOffset GetUtcNow() => new DateTimeOffset(2026, 11, 1, 12, 0, 0, TimeSpan.Zero) + _set + _passed;

        public override long GetTimestamp() => _passed.Ticks;
    }
}
